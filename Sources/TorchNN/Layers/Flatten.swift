public import Torch

/// Joins the dimensions `start`...`end` into one; by default all but the first.
public final class Flatten: Layer<Tensor, Tensor> {
  private let start: Int
  private let end: Int

  /// Creates a layer that joins the dimensions from `start` to `end`; negative ones count from the last.
  public init(from start: Int = 1, to end: Int = -1) {
    self.start = start
    self.end = end
  }

  public override func forward(_ input: Tensor) -> Tensor {
    Aten.flatten(input, start_dim: start, end_dim: end)
  }

  public override var extraDescription: String { "from: \(start), to: \(end)" }
}
