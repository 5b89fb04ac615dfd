import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

/// LAMB against its formulas in plain numbers.
struct LambTests {
  /// One parameter in double precision.
  private struct Reference {
    var values: [Double]
    var average: [Double]
    var squares: [Double]

    init(_ values: [Double]) {
      self.values = values
      average = values.map { _ in 0 }
      squares = average
    }

    /// - Returns: the trust ratio.
    mutating func step(
      _ gradient: [Double], count: Int, rate: Double, decay: Double, corrected: Bool, ratios: ClosedRange<Double>
    ) -> Double {
      for i in values.indices {
        average[i] = 0.9 * average[i] + 0.1 * gradient[i]
        squares[i] = 0.99 * squares[i] + 0.01 * gradient[i] * gradient[i]
      }
      let update = values.indices.map { average[$0] / (squares[$0].squareRoot() + 1e-6) + decay * values[$0] }
      let norms = (norm(values), norm(update))
      let ratio = norms.0 == 0 || norms.1 == 0 ? 1 : min(max(norms.0 / norms.1, ratios.lowerBound), ratios.upperBound)
      var size = rate
      if corrected { size *= (1 - pow(0.99, Double(count))).squareRoot() / (1 - pow(0.9, Double(count))) }
      for i in values.indices { values[i] -= size * ratio * update[i] }
      return ratio
    }

    private func norm(_ values: [Double]) -> Double { values.reduce(0) { $0 + $1 * $1 }.squareRoot() }
  }

  static let cases: [(decay: Double, corrected: Bool, ratios: ClosedRange<Double>)] = [
    (0, true, 0.01...10), (0.1, true, 0.01...10), (0.1, false, 0.01...10), (0, true, 0.5...0.6),
  ]

  @Test(arguments: cases.indices, [DType.float32, .float64])
  func stepsFollowTheFormulas(_ index: Int, _ dtype: DType) throws {
    let (decay, corrected, ratios) = Self.cases[index]
    var references = [Reference([0.5, -1, 2, 0.25]), Reference([0, 0, 0]), Reference([1e-4])]
    let parameters = references.map { Parameter(wrappedValue: Tensor($0.values).to(dtype)) }
    let optimizer = Lamb(
      parameters, learningRate: 0.05, betas: (0.9, 0.99), epsilon: 1e-6, weightDecay: decay, biasCorrection: corrected,
      ratios: ratios)
    for count in 1...6 {
      var expected: [Double] = []
      for (place, parameter) in parameters.enumerated() {
        let gradient = references[place].values.indices.map { sin(Double(7 * count + 3 * place + $0)) }
        parameter.gradient = Tensor(gradient).to(dtype)
        expected.append(
          references[place].step(
            gradient, count: count, rate: 0.05, decay: decay, corrected: corrected, ratios: ratios))
      }
      optimizer.step()
      for (found, expected) in zip(optimizer.trustRatios, expected) {
        #expect(abs(found - expected) < (dtype == .float32 ? 1e-5 : 1e-12) * max(1, expected))
      }
      for (parameter, reference) in zip(parameters, references) {
        #expect(try distance(parameter.tensor, reference.values) < (dtype == .float32 ? 1e-5 : 1e-12), "step \(count)")
      }
    }
  }

  @Test func aParameterWithoutGradientIsLeftAlone() throws {
    let parameters = [Tensor([1, 2] as [Float]), Tensor([3, 4] as [Float])].map { Parameter(wrappedValue: $0) }
    let optimizer = Lamb(parameters, weightDecay: 0.1)
    parameters[0].gradient = Tensor([1, 1] as [Float])
    optimizer.step()
    #expect(try parameters[1].tensor.array(as: Float.self) == [3, 4])
    #expect(optimizer.state(of: 1, in: optimizer.parameterGroups[0]).isEmpty)
    #expect(try parameters[0].tensor.array(as: Float.self) != [1, 2])
  }

  @Test func shardsWithReducedNormsStepAsTheWhole() throws {
    let whole = Parameter(wrappedValue: Tensor([0.5, -1, 2, 0.25, 3] as [Double]))
    let gradient = Tensor([1, -2, 0.5, 3, -1] as [Double])
    whole.gradient = gradient
    let optimizer = Lamb([whole], learningRate: 0.1, weightDecay: 0.1)
    let before = try whole.tensor.array(as: Double.self)
    // What each shard finds is recorded first, and their sum is given to both.
    func shard(_ range: Range<Int>, _ reduce: @escaping (Tensor) -> Void) throws -> [Double] {
      let part = Parameter(wrappedValue: Tensor(Array(before[range])))
      part.gradient = gradient[range]
      let own = Lamb([part], learningRate: 0.1, weightDecay: 0.1)
      own.reduceSquaredNorms = reduce
      own.step()
      return try part.tensor.array(as: Double.self)
    }
    let sum = Tensor.zeros([2, 1], dtype: .float64)
    for range in [0..<2, 2..<2, 2..<5] { _ = try shard(range) { sum.add($0) } }
    var found: [Double] = []
    for range in [0..<2, 2..<2, 2..<5] { found += try shard(range) { $0.copy(from: sum) } }
    optimizer.step()
    #expect(try distance(whole.tensor, found) < 1e-12)
  }

  @Test func goesOnFromItsState() throws {
    func make() -> (Parameter<Tensor>, Lamb) {
      let parameter = Parameter(wrappedValue: Tensor([0.5, -1, 2] as [Float]))
      return (parameter, Lamb([parameter], learningRate: 0.1, ratios: 0.1...5))
    }
    let (first, optimizer) = make()
    let (second, resumed) = make()
    for step in 0..<3 {
      first.gradient = Tensor([1, Float(step), -1])
      optimizer.step()
    }
    second.tensor = first.tensor.detached().clone()
    try resumed.load(optimizer.stateDictionary())
    for parameter in [first, second] { parameter.gradient = Tensor([2, 1, 0] as [Float]) }
    optimizer.step()
    resumed.step()
    #expect(try first.tensor.array(as: Float.self) == second.tensor.array(as: Float.self))
    #expect(throws: OptimizerStateError.self) { try resumed.load(.dictionary(["state": .dictionary([:])])) }
  }

  @Test func badOptionsAreErrors() {
    let parameter = Parameter(wrappedValue: Tensor.zeros([1]))
    for body: () -> Void in [
      { _ = Lamb([parameter], betas: (1, 0.9)) }, { _ = Lamb([parameter], epsilon: -1) },
      { _ = Lamb([parameter], ratios: 0...1) }, { _ = Lamb([parameter], learningRate: -1) },
    ] {
      #expect(throws: TorchError.self) { try withErrorScope { body() } }
    }
  }
}
