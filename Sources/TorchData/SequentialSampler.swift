/// All samples in order.
public struct SequentialSampler: Sampler {
  public let count: Int

  /// Creates a sampler of `count` samples.
  public init(count: Int) { self.count = count }

  public func indices(epoch: Int) -> [Int] { Array(0..<count) }
}
