public import Torch

/// A table of vectors, looked up by index: int64 indices of any shape give that shape + [width].
///
/// `weight` has shape [count, width] and is drawn from N(0, 1).
public final class Embedding: Layer<Tensor, Tensor> {
  @Parameter public var weight: Tensor
  private let paddingIndex: Int?

  /// Creates a table of `count` rows of `width` elements.
  ///
  /// - Parameter paddingIndex: a row that starts as zeros and receives no gradient; negative ones count from the end.
  public init(_ count: Int, _ width: Int, paddingIndex: Int? = nil) {
    let row = paddingIndex.map { $0 < 0 ? count + $0 : $0 }
    self.paddingIndex = row
    let table = Initializer.normal()([count, width])
    if let row {
      if (0..<count).contains(row) {
        table.selected(dim: 0, index: row).zero()
      } else {
        _ = Tensor.failed(
          operation: "Embedding", message: "paddingIndex \(row) is out of range: the table has \(count) rows")
      }
    }
    weight = table
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Functional.embedding(input, weight, paddingIndex: paddingIndex)
  }

  public override var extraDescription: String {
    let shape = $weight.shape
    let padding = paddingIndex.map { ", paddingIndex: \($0)" } ?? ""
    return "\(shape[0]), \(shape[1])\(padding)"
  }
}
