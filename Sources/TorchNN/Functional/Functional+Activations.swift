public import Torch

extension Functional {
  /// How `gelu` is computed.
  public enum GELUApproximation: String, Sendable, Hashable {
    /// x · Φ(x), exactly.
    case none
    /// 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))).
    case tanh
  }

  /// max(0, x).
  public static func relu(_ input: Tensor) -> Tensor { Aten.relu(input) }

  /// max(0, x) + slope · min(0, x).
  public static func leakyReLU(_ input: Tensor, slope: Double = 0.01) -> Tensor {
    Aten.leaky_relu(input, negative_slope: Scalar(slope))
  }

  /// x · Φ(x), Φ the standard normal distribution function (Hendrycks and Gimpel, 2016).
  public static func gelu(_ input: Tensor, approximation: GELUApproximation = .none) -> Tensor {
    Aten.gelu(input, approximate: approximation.rawValue)
  }

  /// x · σ(x).
  public static func silu(_ input: Tensor) -> Tensor { Aten.silu(input) }

  /// tanh(x).
  public static func tanh(_ input: Tensor) -> Tensor { Aten.tanh(input) }

  /// 1 / (1 + exp(-x)).
  public static func sigmoid(_ input: Tensor) -> Tensor { Aten.sigmoid(input) }

  /// x where positive, alpha · (exp(x) - 1) elsewhere (Clevert et al., 2015).
  public static func elu(_ input: Tensor, alpha: Double = 1) -> Tensor { Aten.elu(input, alpha: Scalar(alpha)) }

  /// log(1 + exp(beta · x)) / beta, the identity where beta · x exceeds `threshold`.
  public static func softplus(_ input: Tensor, beta: Double = 1, threshold: Double = 20) -> Tensor {
    Aten.softplus(input, beta: Scalar(beta), threshold: Scalar(threshold))
  }

  /// exp(x) / Σ exp(x) along `dim`.
  public static func softmax(_ input: Tensor, dim: Int) -> Tensor { Aten.softmax(input, dim: dim) }

  /// The logarithm of `softmax`, computed without overflow.
  public static func logSoftmax(_ input: Tensor, dim: Int) -> Tensor { Aten.log_softmax(input, dim: dim) }
}
