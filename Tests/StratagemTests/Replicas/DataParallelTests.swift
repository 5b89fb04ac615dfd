import Stratagem
import Testing

@Suite("dp: training in replicas is training on the whole batch")
struct DataParallelTests {
  /// Float rounding over 50 steps.
  private let tolerance = (loss: 1e-5, weight: Float(2e-5))

  private func compare(
    replicas: Int, batch: Int, samples: Int = 24, steps: Int = 50, accumulate: Int = 1, clipNorm: Double? = nil,
    clipValue: Double? = nil, make: () -> ReplicaModel = { ReplicaModel() },
    atBatch: @escaping (ReplicaModel, Int) -> Void = { _, _ in }, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let results = try [1, replicas].map { count in
      let model = make()
      return try ReplicaResult(
        model, replicas: count, samples: samples, batch: batch, steps: steps, accumulate: accumulate,
        clipNorm: clipNorm, clipValue: clipValue, atBatch: { atBatch(model, $0) })
    }
    #expect(results[0].losses.count == steps * accumulate || accumulate > 1)
    #expect(results[0].losses.first != results[0].losses.last, "it learns", sourceLocation: sourceLocation)
    let distance = results[1].distance(to: results[0])
    #expect(distance.loss < tolerance.loss, sourceLocation: sourceLocation)
    #expect(distance.weight < tolerance.weight, sourceLocation: sourceLocation)
  }

  @Test(
    "Losses and weights of 50 steps, with tied weights and batches that fit and do not fit",
    arguments: [2, 3, 4], [12, 7, 5])
  func parity(replicas: Int, batch: Int) throws { try compare(replicas: replicas, batch: batch) }

  @Test("Fewer samples than replicas", arguments: [1, 2])
  func fewSamples(batch: Int) throws { try compare(replicas: 3, batch: batch) }

  @Test("AdamW, accumulated batches, clipped by norm and by value")
  func options() throws {
    let adam = {
      let model = ReplicaModel()
      model.makeOptimizer = { AdamW($0, learningRate: 1e-2) }
      return model
    }
    try compare(replicas: 2, batch: 7, accumulate: 3, clipNorm: 0.05)
    try compare(replicas: 3, batch: 8, accumulate: 2, clipValue: 0.01)
    // AdamW divides by the root of the squared gradient, which magnifies rounding where gradients are near zero.
    try compare(replicas: 2, batch: 12, steps: 20, make: adam)
  }

  @Test("Parameters that are frozen, thawed, replaced and changed between steps")
  func changingParameters() throws {
    let change: (ReplicaModel, Int) -> Void = { model, batch in
      switch batch {
      case 5: model.first.freeze()
      case 10: model.first.unfreeze()
      case 15: model.head.weight = scattered([3, 8], seed: 5)
      case 20: withoutGradients { model.head.$weight.tensor.multiply(by: 0.5) }
      default: break
      }
    }
    try compare(replicas: 2, batch: 6, steps: 40, atBatch: change)
  }

  @Test("A frozen model part takes no gradients")
  func frozen() throws {
    let model = ReplicaModel()
    model.second.freeze()
    let before = try model.second.$bias.tensor.array(as: Float.self)
    _ = try ReplicaResult(model, replicas: 2, batch: 6, steps: 5)
    #expect(try model.second.$bias.tensor.array(as: Float.self) == before)
    #expect(model.second.$bias.gradient == nil)
  }

  @Test("bfloat16 by autocast in every replica")
  func autocast() throws {
    let results = try [1, 2].map { count in
      try ReplicaResult(ReplicaModel(), replicas: count, batch: 12, steps: 20, precision: .bfloat16Mixed)
    }
    let float = try ReplicaResult(ReplicaModel(), replicas: 2, batch: 12, steps: 20)
    #expect(results[1].losses != float.losses)
    let distance = results[1].distance(to: results[0])
    #expect(distance.loss < 2e-2 && distance.weight < 5e-2)
  }

  @Test("float64 to the last bits")
  func double() throws {
    let results = try [1, 3].map { count in
      try ReplicaResult(ReplicaModel(), replicas: count, batch: 7, steps: 20, precision: .float64)
    }
    #expect(results[1].distance(to: results[0]).loss < 1e-12)
  }

  @Test("Two runs are equal to the last bit")
  func reproducible() throws {
    let results = try (0..<3).map { _ in try ReplicaResult(ReplicaModel(), replicas: 3, batch: 7, steps: 30) }
    for result in results { #expect(result.losses == results[0].losses && result.weights == results[0].weights) }
  }

  @Test("Validation, test and prediction do not depend on the replicas", arguments: [2, 3, 5])
  func evaluation(replicas: Int) throws {
    let loader = replicaLoader(samples: 23, batch: 6)
    let data = LoaderDataModule(evaluation: loader)
    let model = ReplicaModel()
    func make(_ strategy: String, _ devices: Int) throws -> Trainer {
      try Trainer(
        strategy: strategy, accelerator: "cpu", devices: .count(devices), loggers: [], checkpointing: false,
        progress: .silent)
    }
    let alone = try make("single_device", 1)
    let parted = try make("dp", replicas)
    let expected = try alone.validate(model, data)
    let found = try parted.validate(model, data)
    #expect(found["val/accuracy"] == expected["val/accuracy"])
    #expect(abs((found["val/loss"] ?? 9) - (expected["val/loss"] ?? 0)) < 1e-6)
    #expect(parted.evaluatedSamples == 23)
    #expect(try parted.test(model, data)["val/accuracy"] == expected["val/accuracy"])
    let rows = try #require(try parted.predict(model, data)).array(as: Float.self)
    let expectedRows = try #require(try alone.predict(model, data)).array(as: Float.self)
    #expect(rows.count == 23 * 3)
    #expect(zip(rows, expectedRows).allSatisfy { abs($0 - $1) < 1e-6 })
    // What the replicas read is gone after the run.
    #expect(model.parameters().allSatisfy { $0.reader == nil && $0.writer == nil })
  }

  @Test("A fit goes on after the validation inside it")
  func validationInside() throws {
    let results = try [1, 2].map { count in
      try ReplicaResult(
        ReplicaModel(), replicas: count, batch: 8, steps: 9, validation: replicaLoader(samples: 11, batch: 4))
    }
    #expect(results[1].distance(to: results[0]).weight < tolerance.weight)
  }
}
