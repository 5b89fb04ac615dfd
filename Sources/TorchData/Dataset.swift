/// Samples that are fetched a batch at a time.
///
/// A dataset is asked for whole batches, so that it can fetch many samples by one operation. The threads of a
/// `DataLoader` call ``batch(_:)`` at the same time: it must only read.
///
/// ```swift
/// struct Squares: Dataset {
///   let count = 1000
///   func batch(_ indices: [Int]) throws -> Tensor { Tensor(indices.map { Float($0 * $0) }) }
/// }
/// ```
public protocol Dataset<Batch> {
  /// What a batch is: a tensor, several, or a type of the user's.
  associatedtype Batch

  /// The number of samples.
  var count: Int { get }

  /// The samples with these indices, in this order.
  ///
  /// - Parameter indices: each in 0..<count; an index may occur more than once.
  func batch(_ indices: [Int]) throws -> Batch

  /// Whether a batch is had so cheaply that a thread to prefetch it would cost more; `false` unless said otherwise.
  var isImmediate: Bool { get }
}

extension Dataset {
  public var isImmediate: Bool { false }
}
