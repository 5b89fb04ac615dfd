internal import Torch

/// Elements of a tensor that are not in memory.
protocol StoredElements: AnyObject {
  var dtype: DType { get }

  /// Gives some elements in order to `body`, as vectors that nobody else uses.
  func forEachPart(of range: Range<Int>, _ body: (Tensor) throws -> Void) throws
}
