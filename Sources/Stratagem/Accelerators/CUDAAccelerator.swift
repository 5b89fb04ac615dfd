public import Torch

/// Computation on NVIDIA GPUs, with a libtorch that was built for CUDA.
public final class CUDAAccelerator: Accelerator {
  public init() { super.init(.cuda) }

  /// Makes the GPU the current one, which is where NCCL looks for it.
  public override func setUpDevice(_ device: Device) throws {
    let count = TorchRuntime.cudaDeviceCount
    guard let index = device.index, index < count else {
      let why = HardwareInventory.detect().absence(of: .cuda, environment: ClusterEnvironments.processVariables)
      throw ConfigurationError(
        "devices", "this process is to compute on \(device), but sees \(count) \(AcceleratorKind.cuda.noun(count))",
        suggestion: why?.suggestion ?? "let every process see its GPU in CUDA_VISIBLE_DEVICES")
    }
    try TorchRuntime.setCurrentDevice(device)
  }
}
