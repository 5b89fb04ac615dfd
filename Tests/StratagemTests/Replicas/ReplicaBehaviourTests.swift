import Foundation
import Synchronization
import Testing
import Torch

@testable import Stratagem

@Suite("dp: what happens inside the replicas")
struct ReplicaBehaviourTests {
  private struct Broken: Error, CustomStringConvertible {
    let description: String
  }

  private func train(_ model: ReplicaModel, replicas: Int = 2, batch: Int = 12, steps: Int = 3) throws {
    _ = try ReplicaResult(model, replicas: replicas, batch: batch, steps: steps)
  }

  @Test("An error of one replica is the step's, with its name, after the others have finished", arguments: [0, 1, 2])
  func error(replica: Int) throws {
    let model = ReplicaModel()
    let finished = Mutex(0)
    let first = try scattered([24, 6], seed: 7).array(as: Float.self)[replica * 4 * 6]
    model.fault = { _, batch in
      if try batch[0][0, 0].scalar() == Double(first) { throw Broken(description: "no luck") }
      usleep(20_000)
      finished.withLock { $0 += 1 }
      return nil
    }
    let error = try #require(throws: ReplicaError.self) { try train(model, replicas: 3) }
    let start = replica * 4
    #expect("\(error)" == "replica \(replica) of 3 (rows \(start)..<\(start + 4) of the batch): no luck")
    #expect(finished.withLock { $0 } == 2)
    // The next run is not disturbed.
    model.fault = nil
    try train(model)
  }

  @Test("A failed operation in a replica: the operation and its shapes")
  func failedOperation() throws {
    let model = ReplicaModel()
    model.fault = { model, batch in .loss(batch[0].matmul(.ones([5, 3])).mean()) }
    let error = try #require(throws: ReplicaError.self) { try train(model) }
    #expect("\(error)".hasPrefix("replica 0 of 2 (rows 0..<6 of the batch): matmul(self: [6, 6] float32"))
  }

  @Test("A failing backward in a replica")
  func failedBackward() throws {
    let model = ReplicaModel()
    model.fault = { model, batch in
      let loss = model(batch[0]).mean()
      loss.backward()
      return .loss(loss)
    }
    let error = try #require(throws: ReplicaError.self) { try train(model) }
    #expect("\(error)".hasPrefix("replica 0 of 2: backward(self: [] float32)"), "\(error)")
  }

  @Test("Losses that are vectors, not a number, or missing")
  func badLosses() throws {
    let model = ReplicaModel()
    model.fault = { model, batch in .loss(model(batch[0]).sum(dim: 1)) }
    #expect(throws: TrainingError.self) { try train(model) }
    model.fault = { model, batch in .loss(model(batch[0]).mean() * Double.nan) }
    #expect(throws: TrainingError.self) { try train(model) }
    model.fault = { _, _ in .notOverridden }
    #expect(throws: ConfigurationError.self) { try train(model) }
    model.fault = { _, _ in .skipped }
    try train(model)
  }

  @Test("A replica that skips its part leaves the mean to the others")
  func partlySkipped() throws {
    let model = ReplicaModel()
    let first = try scattered([24, 6], seed: 7).array(as: Float.self)[0]
    model.fault = { _, batch in try batch[0][0, 0].scalar() == Double(first) ? .skipped : nil }
    let parted = try ReplicaResult(model, replicas: 2, samples: 12, batch: 12, steps: 1)
    let half = ReplicaModel()
    let alone = try ReplicaResult(half, replicas: 1, samples: 12, batch: 12, steps: 1)
    #expect(parted.weights != alone.weights)
    #expect(model.first.$weight.tensor.detached().shape == [8, 6])
  }

  @Test("Grad mode, inference mode and training mode are those of the main thread")
  func modes() throws {
    final class Watcher: LightningModule<[Tensor]> {
      let fc = Linear(6, 3)
      let seen = Mutex<[String]>([])
      override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
        seen.withLock { $0.append("train \(isGradientEnabled) \(isTraining) \(fc.weight.requiresGradient)") }
        return .loss(fc(batch[0]).mean())
      }
      override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
        seen.withLock { $0.append("val \(isGradientEnabled) \(isTraining) \(fc(batch[0]).requiresGradient)") }
        return .skipped
      }
      override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
    }
    let model = Watcher()
    let trainer = try Trainer(
      strategy: "dp", accelerator: "cpu", devices: 2, maxSteps: 1, sanityBatches: 0, loggers: [],
      checkpointing: false, progress: .silent)
    try trainer.fit(
      model, train: replicaLoader(samples: 4, batch: 4), validation: replicaLoader(samples: 4, batch: 4))
    #expect(
      model.seen.withLock { $0 } == ["train true true true", "train true true true"] + [
        "val false false false", "val false false false",
      ])
  }

  @Test("Hooks of a step run once, on the main thread; the trainer can be reached from every replica")
  func hooks() throws {
    final class Hooked: LightningModule<[Tensor]> {
      let fc = Linear(6, 3)
      var calls: [String] = []
      let reached = Mutex(0)
      override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
        if trainer?.worldSize == 1, trainer?.rank == 0 { reached.withLock { $0 += 1 } }
        return .loss(fc(batch[0]).square().mean())
      }
      override func onBeforeBackward(_ loss: Tensor) { calls.append("before \(loss.shape)") }
      override func onAfterBackward() {
        calls.append("after \(fc.$weight.gradient != nil)")
      }
      override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
    }
    let model = Hooked()
    let trainer = try Trainer(
      strategy: "dp", accelerator: "cpu", devices: 3, maxSteps: 2, loggers: [], checkpointing: false,
      progress: .silent)
    try trainer.fit(model, train: replicaLoader(samples: 12, batch: 6))
    #expect(model.calls == ["before []", "after true", "before []", "after true"])
    #expect(model.reached.withLock { $0 } == 6)
  }

  @Test("Buffers: replica 0 changes the module's own, the others see it afresh in every step")
  func buffers() throws {
    final class Counting: LightningModule<[Tensor]> {
      let fc = Linear(6, 3)
      @Buffer var total: Tensor = .zeros([1])
      @Buffer var assigned: Tensor = .zeros([1])
      @Buffer(persistent: false) var constant: Tensor = .full([1], 3)
      let seen = Mutex<[[Double]]>([])
      override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
        let values = try [total, assigned, constant].map { try $0.scalar() }
        seen.withLock { $0.append(values) }
        withoutGradients {
          total.add(1)
          assigned = assigned + 10
        }
        return .loss(fc(batch[0]).mean())
      }
      override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
    }
    let model = Counting()
    let trainer = try Trainer(
      strategy: "dp", accelerator: "cpu", devices: 3, maxSteps: 4, loggers: [], checkpointing: false,
      progress: .silent)
    try trainer.fit(model, train: replicaLoader(samples: 24, batch: 6))
    #expect(try model.total.scalar() == 4)
    #expect(try model.assigned.scalar() == 40)
    let expected = (0..<12).map { [Double($0 / 3), Double($0 / 3 * 10), 3] }
    #expect(model.seen.withLock { $0 } == expected)
  }

  @Test("The threads of the replicas end with the run")
  func threads() throws {
    func count() -> Int {
      SystemFolder.names(in: "/proc/self/task").count {
        SystemFolder.text(of: "/proc/self/task/\($0)/comm")?.hasPrefix("lonely-") == true
      }
    }
    let threads = try ReplicaThreads(count: 4, name: "lonely")
    let numbers = Mutex(Set<Int>())
    for _ in 0..<100 { threads.run(4) { number in _ = numbers.withLock { $0.insert(number) } } }
    #expect(numbers.withLock { $0 } == [0, 1, 2, 3])
    #expect(count() == 3)
    threads.end()
    for _ in 0..<3000 where count() > 0 { usleep(10_000) }
    #expect(count() == 0)
  }

  @Test("Batches that cannot be split: type, shapes and what to do")
  func unsplittable() throws {
    struct Opaque {}
    final class Model<Batch>: LightningModule<Batch> {
      let fc = Linear(6, 3)
      override func trainingStep(_ batch: Batch, at index: Int) throws -> StepOutput { .loss(fc.weight.sum()) }
      override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(SGD(self, learningRate: 0.1)) }
    }
    func failure<Batch>(_ batch: Batch) throws -> String {
      let trainer = try Trainer(
        strategy: "dp", accelerator: "cpu", devices: 2, maxSteps: 1, loggers: [], checkpointing: false,
        progress: .silent)
      let data = ArrayDataset(Array(0..<4)) { [batch = UnsafeTransfer(batch)] _ in batch.value }
      do {
        try trainer.fit(Model<Batch>(), train: DataLoader(data, batchSize: 4))
        return "no error"
      } catch let error as ConfigurationError {
        return "\(error)"
      }
    }
    let opaque = try failure(Opaque())
    #expect(opaque.contains("a batch of type Opaque cannot be split"))
    #expect(opaque.contains("conform to BatchConvertible, or override split(_:into:)"))
    let ragged = try failure([Tensor.ones([4, 2]), Tensor.ones([3])])
    #expect(ragged.contains("Array<Tensor>") && ragged.contains("[4, 2], [3]") && ragged.contains("split(_:into:)"))
    let scalar = try failure([Tensor(1)])
    #expect(scalar.contains("shapes []") && scalar.contains("first dimension"))
  }
}
