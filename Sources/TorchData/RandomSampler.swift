public import Torch

/// All samples in an order that changes with the epoch.
///
/// Epoch e is `torch.randperm` of a generator seeded with seed + e, the order that PyTorch's `DistributedSampler`
/// deals out.
public struct RandomSampler: Sampler {
  public let count: Int
  /// What the order depends on, together with the epoch.
  public let seed: UInt64

  /// Creates a sampler of `count` samples.
  public init(count: Int, seed: UInt64 = 0) {
    self.count = count
    self.seed = seed
  }

  public func indices(epoch: Int) throws(TorchError) -> [Int] {
    try Tensor.randperm(count, generator: Generator(seed: seed &+ UInt64(bitPattern: Int64(epoch)))).array(as: Int.self)
  }
}
