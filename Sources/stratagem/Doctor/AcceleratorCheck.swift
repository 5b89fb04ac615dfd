internal import Glibc
internal import Stratagem
internal import Torch

/// Graphics processors.
enum AcceleratorCheck {
  static var finding: Finding {
    let count = TorchRuntime.cudaDeviceCount
    if count > 0 { return .ok("GPU", "\(count) that libtorch can use") }
    if access("/dev/nvidia0", F_OK) == 0 {
      return .warning(
        "GPU", "there is an NVIDIA GPU, but libtorch cannot use it",
        "use a libtorch with CUDA: STRATAGEM_TORCH=python or LIBTORCH=FOLDER with Scripts/setup")
    }
    return .ok("GPU", "none; runs compute on the processors")
  }
}
