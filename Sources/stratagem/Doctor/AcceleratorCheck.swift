internal import Glibc
internal import Stratagem
internal import Torch
internal import TorchDistributed

/// Graphics processors.
enum AcceleratorCheck {
  static var finding: Finding {
    let count = TorchRuntime.cudaDeviceCount
    if count > 0 {
      guard let problem = ProcessGroupBackend.nccl.problem else {
        return .ok("GPU", "\(count) that libtorch can use, with NCCL between them")
      }
      return .warning(
        "GPU", "\(count) that libtorch can use, but not NCCL: \(problem)",
        "see what Scripts/setup says of nccl.h; until then processes exchange tensors through Gloo")
    }
    if access("/dev/nvidia0", F_OK) == 0 {
      return TorchRuntime.isCUDABuild
        ? .warning(
          "GPU", "there is an NVIDIA GPU, but libtorch, a build for CUDA, sees none",
          "see whether nvidia-smi works, and what CUDA_VISIBLE_DEVICES says")
        : .warning("GPU", "there is an NVIDIA GPU, but libtorch is a build for CPUs", ProcessGroupBackend.remedy)
    }
    return .ok("GPU", "none; runs compute on the processors")
  }
}
