import Torch

/// Some of the samples of a dataset, numbered anew from 0.
public struct Subset<Base: Dataset>: Dataset {
  /// The dataset that is read.
  public let base: Base
  /// Where each sample is in the base.
  public let indices: [Int]

  /// Creates a dataset of the samples of `base` with these indices.
  public init(_ base: Base, indices: some Sequence<Int>) {
    self.base = base
    self.indices = Array(indices)
  }

  public var count: Int { indices.count }
  public var isImmediate: Bool { base.isImmediate }

  public func batch(_ indices: [Int]) throws -> Base.Batch {
    try base.batch(indices.map { self.indices[$0] })
  }
}

extension Dataset {
  /// The samples with these indices, such as `0..<1500`.
  public func subset(_ indices: some Sequence<Int>) -> Subset<Self> {
    Subset(self, indices: indices)
  }

  /// Cuts the dataset into parts of these sizes, which must add up to its count.
  ///
  /// - Parameters:
  ///   - counts: the number of samples of each part.
  ///   - seed: draw the samples at random instead of in order, as PyTorch's `random_split` does with a generator of
  ///     this seed.
  /// - Returns: one part per count. Sizes that do not add up are recorded as a `TorchError`.
  public func split(_ counts: [Int], seed: UInt64? = nil) -> [Subset<Self>] {
    guard counts.reduce(0, +) == count, counts.allSatisfy({ $0 >= 0 }) else {
      _ = Tensor.failed(
        operation: "split",
        message:
          "parts of \(counts) samples add up to \(counts.reduce(0, +)), the dataset has \(count); give sizes that add up"
      )
      return counts.map { _ in Subset(self, indices: []) }
    }
    let order = seed.flatMap { try? RandomSampler(count: count, seed: $0).indices(epoch: 0) } ?? Array(0..<count)
    var start = 0
    return counts.map { size in
      defer { start += size }
      return Subset(self, indices: order[start..<start + size])
    }
  }
}
