/// The elements of a collection, made into batches by a function.
public struct ArrayDataset<Elements: RandomAccessCollection, Batch>: Dataset {
  /// The samples.
  public let elements: Elements
  private let collate: @Sendable ([Elements.Element]) throws -> Batch

  /// Creates a dataset.
  ///
  /// - Parameters:
  ///   - elements: the samples, such as file names or indices.
  ///   - collate: makes a batch of samples; called on the loader's threads.
  public init(_ elements: Elements, collate: @escaping @Sendable ([Elements.Element]) throws -> Batch) {
    self.elements = elements
    self.collate = collate
  }

  public var count: Int { elements.count }

  public func batch(_ indices: [Int]) throws -> Batch {
    let start = elements.startIndex
    return try collate(indices.map { elements[elements.index(start, offsetBy: $0)] })
  }
}
