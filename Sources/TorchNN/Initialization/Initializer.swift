public import Torch

/// A way to fill a tensor with initial values: `torch.nn.init`.
///
/// ```swift
/// Initializer.kaimingNormal(nonlinearity: .relu).fill(layer.weight)
/// ```
///
/// Numbers are drawn as PyTorch draws them: the same CPU generator in the same state gives the same bits.
public struct Initializer {
  /// Which of a weight's two sizes keeps its variance.
  public enum Fan: Sendable, Hashable {
    /// Inputs of each output: the forward pass keeps its variance.
    case fanIn
    /// Outputs of each input: the backward pass does.
    case fanOut
  }

  private let body: (Tensor, Generator?) -> Void

  /// Creates an initializer from a function that overwrites its tensor in place; it is called without gradients.
  public init(_ body: @escaping (_ tensor: Tensor, _ generator: Generator?) -> Void) {
    self.body = body
  }

  /// Overwrites `tensor`, without recording gradients.
  ///
  /// In ``withDeferredInitialization(_:)`` a tensor without memory is filled when its values are asked for.
  ///
  /// - Parameter generator: where random numbers come from; `nil` for the default generator.
  public func fill(_ tensor: Tensor, generator: Generator? = nil) {
    if OperationTape.current != nil, let tape = OperationTape.of(tensor) {
      tape.fill(tensor, generator: generator, body)
    } else {
      withoutGradients { body(tensor, generator) }
    }
  }

  /// Returns a new tensor that holds initial values.
  public func callAsFunction(_ shape: [Int], dtype: DType = .float32, generator: Generator? = nil) -> Tensor {
    let tensor = Tensor.empty(shape, dtype: dtype)
    fill(tensor, generator: generator)
    return tensor
  }

  /// Returns the fan-in and fan-out of a weight of at least two dimensions: `shape[1]` and `shape[0]`, each times the
  /// product of the sizes after them.
  static func fans(of shape: [Int]) -> (fanIn: Int, fanOut: Int)? {
    guard shape.count >= 2 else { return nil }
    let field = shape.dropFirst(2).reduce(1, *)
    return (shape[1] * field, shape[0] * field)
  }

  /// Creates an initializer of weights whose width depends on their fans.
  init(name: String, drawing body: @escaping (_ tensor: Tensor, _ fans: (Int, Int), _ generator: Generator?) -> Void) {
    self.init { tensor, generator in
      guard let fans = Self.fans(of: tensor.shape) else {
        _ = Tensor.failed(
          operation: name,
          message: "the weight has shape \(tensor.shape); fan-in and fan-out need at least two dimensions")
        return
      }
      if tensor.count > 0 { body(tensor, fans, generator) }
    }
  }
}
