/// A dataset whose batches pass through a function.
public struct MappedDataset<Base: Dataset, Batch>: Dataset {
  /// The dataset that is read.
  public let base: Base
  private let transform: @Sendable (Base.Batch) throws -> Batch

  init(_ base: Base, _ transform: @escaping @Sendable (Base.Batch) throws -> Batch) {
    self.base = base
    self.transform = transform
  }

  public var count: Int { base.count }

  /// As the base; a loader for a costly function is given `threads` explicitly.
  public var isImmediate: Bool { base.isImmediate }

  public func batch(_ indices: [Int]) throws -> Batch {
    try transform(base.batch(indices))
  }
}

extension Dataset {
  /// The dataset whose batches are made by `transform` from this one's, on the loader's threads.
  ///
  /// ```swift
  /// let digits = TensorDataset(images, labels).map { Digits(images: $0[0], labels: $0[1]) }
  /// ```
  public func map<NewBatch>(
    _ transform: @escaping @Sendable (Batch) throws -> NewBatch
  ) -> MappedDataset<Self, NewBatch> {
    MappedDataset(self, transform)
  }
}
