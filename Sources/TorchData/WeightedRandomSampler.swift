import Torch

/// Samples drawn at random with given weights, as PyTorch's `WeightedRandomSampler` draws them.
///
/// Epoch e is `torch.multinomial` of a generator seeded with seed + e.
public struct WeightedRandomSampler: Sampler {
  /// The weight of each sample; at least 0, not necessarily adding up to 1.
  public let weights: [Double]
  public let count: Int
  /// Whether a sample can be drawn more than once in an epoch.
  public let replacement: Bool
  /// What the draw depends on, together with the epoch.
  public let seed: UInt64

  /// Creates a sampler that draws `count` samples in each epoch.
  public init(weights: [Double], count: Int, replacement: Bool = true, seed: UInt64 = 0) {
    self.weights = weights
    self.count = count
    self.replacement = replacement
    self.seed = seed
  }

  public func indices(epoch: Int) throws -> [Int] {
    guard count > 0 else { return [] }
    return try withErrorScope {
      let generator = Generator(seed: seed &+ UInt64(bitPattern: Int64(epoch)))
      return try Aten.multinomial(
        Tensor(weights), num_samples: count, replacement: replacement, generator: generator
      ).array(as: Int.self)
    }
  }
}
