/// The function that follows a layer, which decides how widely its weights are drawn.
public enum Nonlinearity: Sendable, Hashable {
  case linear
  case convolution
  case sigmoid
  case tanh
  case relu
  case leakyReLU(slope: Double = 0.01)
  case selu

  /// The recommended gain, `torch.nn.init.calculate_gain`.
  public var gain: Double {
    switch self {
    case .linear, .convolution, .sigmoid: 1
    case .tanh: 5.0 / 3
    case .relu: 2.0.squareRoot()
    case .leakyReLU(let slope): (2.0 / (1 + slope * slope)).squareRoot()
    case .selu: 3.0 / 4
    }
  }
}
