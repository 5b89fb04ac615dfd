internal import TorchDistributed

extension HardwareInventory {
  /// Why there is nothing of a kind of hardware, as far as that is known, and what to do about it.
  func absence(
    of kind: AcceleratorKind, environment: [String: String]
  ) -> (reason: String, suggestion: String)? {
    guard kind == .cuda, gpus.isEmpty else { return nil }
    if !hasCUDABuild { return ("libtorch is a build for CPUs", ProcessGroupBackend.remedy) }
    if let visible = environment["CUDA_VISIBLE_DEVICES"] {
      return (
        "libtorch sees no GPU", "CUDA_VISIBLE_DEVICES is '\(visible)': unset it, or name GPUs that nvidia-smi lists"
      )
    }
    return ("libtorch sees no GPU", "see whether nvidia-smi lists one, and whether this container is given it")
  }
}
