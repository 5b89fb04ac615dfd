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
    let kept = AvailableMemory.keptByteCount
    TorchRuntime.keepFreedMemory(kept, inBlocksUpTo: min(kept, 32 << 20))
    if let threads, TorchRuntime.threadCount != threads { TorchRuntime.threadCount = threads }
  }
}
