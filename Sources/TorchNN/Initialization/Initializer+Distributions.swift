import Torch

#if canImport(Glibc)
  import Glibc
#elseif canImport(Darwin)
  import Darwin
#endif

extension Initializer {
  /// All elements `value`.
  public static func constant(_ value: Double) -> Initializer {
    Initializer { tensor, _ in tensor.fill(Scalar(value)) }
  }

  /// All elements zero.
  public static var zeros: Initializer { constant(0) }

  /// All elements one.
  public static var ones: Initializer { constant(1) }

  /// U(`low`, `high`).
  public static func uniform(_ low: Double = 0, _ high: Double = 1) -> Initializer {
    Initializer { tensor, generator in Aten.uniform_(tensor, from: low, to: high, generator: generator) }
  }

  /// N(`mean`, `deviation`²).
  public static func normal(mean: Double = 0, deviation: Double = 1) -> Initializer {
    Initializer { tensor, generator in Aten.normal_(tensor, mean: mean, std: deviation, generator: generator) }
  }

  /// U(-b, b) with b = gain · √(6 / (fanIn + fanOut)) (Glorot and Bengio, 2010).
  public static func xavierUniform(gain: Double = 1) -> Initializer {
    Initializer(name: "xavierUniform") { tensor, fans, generator in
      let deviation = gain * (2.0 / Double(fans.0 + fans.1)).squareRoot()
      let bound = 3.0.squareRoot() * deviation
      Aten.uniform_(tensor, from: -bound, to: bound, generator: generator)
    }
  }

  /// N(0, σ²) with σ = gain · √(2 / (fanIn + fanOut)) (Glorot and Bengio, 2010).
  public static func xavierNormal(gain: Double = 1) -> Initializer {
    Initializer(name: "xavierNormal") { tensor, fans, generator in
      let deviation = gain * (2.0 / Double(fans.0 + fans.1)).squareRoot()
      Aten.normal_(tensor, mean: 0, std: deviation, generator: generator)
    }
  }

  /// U(-b, b) with b = gain · √(3 / fan) (He et al., 2015).
  public static func kaimingUniform(
    mode: Fan = .fanIn, nonlinearity: Nonlinearity = .leakyReLU(slope: 0)
  ) -> Initializer {
    Initializer(name: "kaimingUniform") { tensor, fans, generator in
      let fan = Double(mode == .fanIn ? fans.0 : fans.1)
      let bound = 3.0.squareRoot() * (nonlinearity.gain / fan.squareRoot())
      Aten.uniform_(tensor, from: -bound, to: bound, generator: generator)
    }
  }

  /// N(0, σ²) with σ = gain / √fan (He et al., 2015).
  public static func kaimingNormal(
    mode: Fan = .fanIn, nonlinearity: Nonlinearity = .leakyReLU(slope: 0)
  ) -> Initializer {
    Initializer(name: "kaimingNormal") { tensor, fans, generator in
      let fan = Double(mode == .fanIn ? fans.0 : fans.1)
      Aten.normal_(tensor, mean: 0, std: nonlinearity.gain / fan.squareRoot(), generator: generator)
    }
  }

  /// N(`mean`, `deviation`²) restricted to `low`...`high`: `torch.nn.init.trunc_normal_`.
  public static func truncatedNormal(
    mean: Double = 0, deviation: Double = 1, low: Double = -2, high: Double = 2
  ) -> Initializer {
    Initializer { tensor, generator in
      let inside = cumulativeNormal((high - mean) / deviation) - cumulativeNormal((low - mean) / deviation)
      guard low < high, deviation > 0, tensor.count > 0 else {
        if low >= high || deviation <= 0 {
          _ = Tensor.failed(
            operation: "truncatedNormal",
            message: "low \(low) must be below high \(high), and the deviation \(deviation) positive")
        }
        return
      }
      if inside > 0.3 {
        redraw(tensor, mean: mean, deviation: deviation, low: low, high: high, generator)
      } else {
        reject(tensor, mean: mean, deviation: deviation, low: low, high: high, generator)
      }
    }
  }

  /// Draws normal numbers until all are inside, as PyTorch does when most of them are.
  private static func redraw(
    _ tensor: Tensor, mean: Double, deviation: Double, low: Double, high: Double, _ generator: Generator?
  ) {
    Aten.normal_(tensor, mean: mean, std: deviation, generator: generator)
    while true {
      let outside = (tensor .< Scalar(low)) .| (tensor .> Scalar(high))
      guard isTrueAnywhere(outside) else { return }
      let fresh = Tensor.empty(tensor.shape, dtype: tensor.dtype, device: tensor.device)
      Aten.normal_(fresh, mean: mean, std: deviation, generator: generator)
      tensor.copy(from: tensor.replacing(with: fresh, where: outside))
    }
  }

  /// Draws uniform numbers and keeps each with the probability its density demands, for narrow or distant intervals.
  private static func reject(
    _ tensor: Tensor, mean: Double, deviation: Double, low: Double, high: Double, _ generator: Generator?
  ) {
    let mode = max(low, min(mean, high))
    let distance = (mode - mean) / deviation
    let logPeak = -0.5 * (distance * distance)
    let candidates = Tensor.empty(tensor.shape, dtype: tensor.dtype, device: tensor.device)
    let acceptance = Tensor.empty(tensor.shape, dtype: tensor.dtype, device: tensor.device)

    func isRejected(_ drawn: Tensor) -> Tensor {
      let logDensity = ((drawn - mean) / deviation).pow(2) * -0.5 - logPeak
      Aten.uniform_(acceptance, generator: generator)
      return acceptance.log() .> logDensity
    }

    Aten.uniform_(tensor, from: low, to: high, generator: generator)
    var pending = isRejected(tensor)
    while isTrueAnywhere(pending) {
      Aten.uniform_(candidates, from: low, to: high, generator: generator)
      tensor.copy(from: tensor.replacing(with: candidates, where: pending))
      let rejected = isRejected(candidates)
      pending = Aten.logical_and(pending, other: rejected)
    }
  }

  private static func isTrueAnywhere(_ mask: Tensor) -> Bool {
    ((try? mask.any().scalar()) ?? 0) != 0
  }

  private static func cumulativeNormal(_ x: Double) -> Double { (1 + erf(x / 2.0.squareRoot())) / 2 }
}
