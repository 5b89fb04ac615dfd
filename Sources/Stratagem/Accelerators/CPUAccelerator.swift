public import Torch

/// Computation on the processors.
public final class CPUAccelerator: Accelerator {
  /// Threads that one operation may use; nil leaves libtorch's choice.
  private let threads: Int?

  public init(threads: Int? = nil) {
    self.threads = threads
    super.init(.cpu)
  }

  public override func setUpDevice(_ device: Device) throws {
    if AvailableMemory.isScarce {
      TorchRuntime.keepFreedMemory(1 << 20, inBlocksUpTo: 1 << 20)
    } else {
      TorchRuntime.keepFreedMemory(min(1 << 30, (AvailableMemory.limit ?? .max) / 8))
    }
    if let threads, TorchRuntime.threadCount != threads { TorchRuntime.threadCount = threads }
  }
}
