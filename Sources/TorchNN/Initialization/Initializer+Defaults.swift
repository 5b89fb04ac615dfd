import Torch

extension Initializer {
  /// The weight of `Linear` and convolutions: U(-b, b) with b = 1 / √fanIn, computed as PyTorch computes it.
  static var layerWeight: Initializer { kaimingUniform(nonlinearity: .leakyReLU(slope: 5.0.squareRoot())) }

  /// The bias of `Linear` and convolutions: U(-b, b) with b = 1 / √fanIn of the weight.
  static func layerBias(fanIn: Int) -> Initializer {
    if fanIn == 0 { return zeros }
    let bound = 1 / Double(fanIn).squareRoot()
    return uniform(-bound, bound)
  }
}
