import Testing

@testable import Stratagem

/// Eight training steps in each precision, its parts called in the order of the fit loop, against `torch.amp`.
@Suite struct PrecisionReferenceTests {
  private let reference = PrecisionNumbers.shared

  private struct Result {
    var losses: [Double] = []
    var norms: [Double] = []
    var scales: [Double] = []
    var stepped: [Bool] = []
    var weights: StateDictionary = [:]
  }

  @Test(arguments: PrecisionNumbers.shared.runs.keys.sorted()) func stepsArePyTorchs(_ name: String) throws {
    let expected = try #require(reference.runs[name])
    let result = try train(expected)
    #expect(result.losses.count == expected.losses.count)
    for (step, (found, wanted)) in zip(result.losses, expected.losses).enumerated() {
      #expect(
        abs(found - wanted) <= expected.relativeTolerance * abs(wanted), "loss of step \(step): \(found), \(wanted)")
    }
    #expect(result.stepped == expected.stepped)
    #expect(result.scales == expected.scales ?? [])
    #expect(result.norms.count == expected.gradientNorms?.count ?? 0)
    for (found, wanted) in zip(result.norms, (expected.gradientNorms ?? []).map(\.value)) {
      let agree = found == wanted || found.isNaN && wanted.isNaN
      #expect(agree || abs(found - wanted) <= 10 * expected.relativeTolerance * wanted, "norm \(found), \(wanted)")
    }
    #expect(result.weights.count == expected.finalWeights.count)
    for (key, wanted) in expected.finalWeights {
      let found = try #require(result.weights[key]).to(.float64).array(as: Double.self)
      for (found, wanted) in zip(found, wanted.values) {
        #expect(abs(found - wanted) <= 10 * expected.relativeTolerance * max(0.1, abs(wanted)), "\(key)")
      }
    }
  }

  @Test(arguments: ["bf16-mixed", "16-mixed", "bf16-true", "16-true"]) func computingIsReallyNarrow(_ name: String)
    throws
  {
    let wide = try train(try #require(reference.runs["32-true"]))
    let narrow = try train(try #require(reference.runs[name]))
    let distance = zip(wide.losses, narrow.losses).map { abs($0 - $1) }.max() ?? 0
    #expect(distance > 1e-5 && distance < 0.02, "\(distance)")
  }

  private func train(_ run: PrecisionNumbers.Run) throws -> Result {
    let precision = try plugin(run)
    let model = Sequential {
      Linear(6, 16)
      ReLU()
      Linear(16, 3)
    }
    try model.load(StateDictionary(uniqueKeysWithValues: reference.weights.map { ($0, $1.tensor(.float32)) }))
    precision.convert(model)
    let optimizer: Optimizer =
      run.optimizer == "sgd"
      ? SGD(model, learningRate: 0.2, momentum: 0.9) : AdamW(model, learningRate: 0.02)
    let inputs = reference.inputs.tensor(precision.inputType ?? .float32)
    let labels = reference.labels.tensor(.int64)
    var result = Result()
    for step in 0..<run.losses.count {
      optimizer.zeroGradients()
      let loss = precision.forward { Functional.crossEntropy(model(inputs[step]), labels[step]) }
      try precision.backward(loss)
      if step == run.overflowStep { model.parameters()[0].gradient?[1, 2].fill(Scalar(Double.infinity)) }
      try precision.unscaleGradients(of: optimizer)
      if let maximum = run.clipNorm {
        result.norms.append(try GradientClipping.clipNorm(model.parameters(), maximum: maximum).scalar())
      }
      result.stepped.append(try precision.step(optimizer))
      result.losses.append(try loss.scalar())
      if let scaler = (precision as? MixedPrecision)?.scaler { result.scales.append(scaler.currentScale) }
    }
    result.weights = model.stateDictionary()
    return result
  }

  private func plugin(_ run: PrecisionNumbers.Run) throws -> Precision {
    let kind = try #require(PrecisionKind(name: run.precision))
    guard kind == .float16Mixed else { return Precision.make(kind) }
    return try MixedPrecision(
      kind, scaler: GradScaler(initialScale: run.initialScale, growthInterval: run.growthInterval))
  }
}
