internal import CProcess
internal import Torch
internal import TorchDistributed

extension HardwareInventory {
  /// What this machine has, as far as libtorch can use it.
  public static func detect() -> HardwareInventory {
    let gpus = (0..<TorchRuntime.cudaDeviceCount).map { GPU(name: "cuda:\($0)") }
    return HardwareInventory(
      cpuCount: max(1, Int(cp_available_processors())), gpus: gpus, hasCUDABuild: TorchRuntime.isCUDABuild,
      ncclProblem: ProcessGroupBackend.nccl.problem)
  }
}
