internal import CProcess
internal import Torch
internal import TorchNN

/// Several replicas of one model in one process: each computes a part of every batch on a thread of its own, over the
/// same parameters.
///
/// The loss of the batch is the mean of the replicas' losses, weighted by their samples, so that loss and gradients are
/// those of the whole batch wherever the loss is a mean over samples.
final class ReplicaGroup {
  /// A loss whose backward is still to come: what each replica has to start from.
  private struct PendingLoss {
    /// What the trainer got: a leaf with the value of the weighted mean.
    let combined: Tensor
    /// The replicas' own, with their weights; nil for a replica that had none.
    var parts: [(loss: Tensor, weight: Double)?]
  }

  /// Runs a step in the number format of the run.
  typealias Runner<Output> = (ModuleStep<Output>) throws -> Output

  private let module: AnyLightningModule
  private let threads: ReplicaThreads
  private let tensors: ReplicaTensors
  private let replicas: [Replica]
  private let threadCountBefore: Int
  private var pending: PendingLoss?

  /// Parameters of fewer elements are summed by the main thread alone: that costs less than handing over.
  private static let fewElements = 1 << 15

  /// The replicas of a run; nil when one device needs none.
  ///
  /// - Parameter strategy: the name of the strategy, for errors.
  static func make(
    _ module: AnyLightningModule, _ stage: Stage, on devices: [Device], strategy: String
  ) throws -> ReplicaGroup? {
    let count = devices.count
    guard count > 1 else { return nil }
    guard module.automaticOptimization || stage != .fit else {
      throw ConfigurationError(
        "strategy",
        "strategy '\(strategy)' on \(count) devices cannot train \(type(of: module)), whose optimization is "
          + "manual: its training step would step the optimizers once in each replica",
        suggestion: #"write strategy: "ddp", or devices: 1"#)
    }
    return try ReplicaGroup(module, on: devices)
  }

  /// - Parameter devices: at least 2.
  private init(_ module: AnyLightningModule, on devices: [Device]) throws {
    self.module = module
    replicas = devices.enumerated().map { Replica(index: $0.offset, device: $0.element) }
    threadCountBefore = TorchRuntime.threadCount
    threads = try ReplicaThreads(count: devices.count)
    TorchRuntime.threadCount = 1
    tensors = ReplicaTensors(module, devices: Array(devices.dropFirst()))
  }

  /// Ends the threads and gives the module its properties back.
  func tearDown() {
    tensors.remove()
    threads.end()
    TorchRuntime.threadCount = threadCountBefore
  }

  /// Runs a training step in parts; see ``backward(_:)``.
  func trainingStep(_ step: ModuleStep<StepOutput>, _ run: Runner<StepOutput>) throws -> StepOutput {
    pending = nil
    let parts = try parts(of: step)
    guard parts.count > 1 else { return try run(step) }
    return try combined(outputs(of: parts, run), parts)
  }

  /// Runs a validation or test step in parts.
  func evaluationStep(_ step: ModuleStep<StepOutput>, _ run: Runner<StepOutput>) throws -> StepOutput {
    let parts = try parts(of: step)
    guard parts.count > 1 else { return try run(step) }
    let outputs = try outputs(of: parts, run)
    if let base = outputs.first(where: { if case .notOverridden = $0 { true } else { false } }) { return base }
    let losses = losses(outputs, parts)
    if let odd = losses.first(where: { $0.loss.count != 1 }) { return .loss(odd.loss) }
    return losses.isEmpty ? .skipped : .loss(mean(losses.map { ($0.loss, $0.weight) }))
  }

  /// Runs a prediction step in parts; the rows are put together in the order of the batch.
  func predictionStep(_ step: ModuleStep<Tensor?>, _ run: Runner<Tensor?>) throws -> Tensor? {
    let parts = try parts(of: step)
    guard parts.count > 1 else { return try run(step) }
    let outputs = try outputs(of: parts, run)
    for (output, part) in zip(outputs, parts) {
      guard let output, output.ndim == 0 || output.size(0) != part.sampleCount else { continue }
      throw TrainingError.unusableStep(
        "predictStep of \(type(of: module)) returned shape \(output.shape) for \(part.sampleCount) samples; "
          + "return one row per sample")
    }
    let rows = outputs.compactMap { $0 }
    guard rows.count == outputs.count else {
      if rows.isEmpty { return nil }
      throw TrainingError.unusableStep(
        "predictStep of \(type(of: module)) returned rows in some replicas and nil in others; return nil for all "
          + "samples of a batch or for none")
    }
    return Tensor.cat(rows.map { $0.to(rows[0].device) })
  }

  /// Computes the gradients of the loss that ``trainingStep(_:_:)`` returned, and sums them into the module's parameters.
  ///
  /// - Parameter start: backward of that loss, or of one computed from it, on the main thread.
  func backward(_ start: () throws -> Void) throws {
    defer { pending = nil }
    try start()
    guard let pending, let seed = pending.combined.gradient else { return }
    pending.combined.gradient = nil
    let parts = pending.parts
    self.pending = nil
    let active = parts.count
    let state = ThreadState()
    try each(active, rows: nil) { index in
      guard let part = parts[index], part.loss.requiresGradient else { return }
      try replicas[index].runBackward(state: state) {
        try withErrorScope {
          part.loss.backward(gradient: withoutGradients { seed.to(part.loss.device) * part.weight })
        }
      }
    }
    try collectGradients(active)
  }

  private func collectGradients(_ active: Int) throws {
    let members = tensors.trainedCount < Self.fewElements ? 1 : active
    tensors.deal(to: members)
    try each(members, rows: nil) { member in
      try withErrorScope { tensors.collectGradients(of: active, member: member, of: members) }
    }
  }

  private func parts<Output>(of step: ModuleStep<Output>) throws -> [ModuleStep<Output>] {
    let parts = try step.split(into: threads.count)
    guard (1...threads.count).contains(parts.count) else {
      throw ConfigurationError(
        "split",
        "split(_:into:) of \(type(of: module)) made \(parts.count) parts of a batch for \(threads.count) replicas",
        suggestion: "return between 1 and as many parts as asked for")
    }
    return try zip(parts, replicas).map { part, replica in
      replica.device == replicas[0].device ? part : try part.moved(to: replica.device)
    }
  }

  /// Runs each part in its replica and merges what they logged.
  private func outputs<Output>(
    of parts: [ModuleStep<Output>], _ run: Runner<Output>
  ) throws -> [Output] {
    tensors.prepare()
    let state = ThreadState()
    let seed = Generator.default.drawSeed()
    let results = gathered(parts.count) { index in
      replicas[index].run(sampleCount: parts[index].sampleCount, state: state, seed: seed) {
        try run(parts[index])
      }
    }
    let outputs = try unwrapped(results, rows: parts.map(\.sampleCount))
    if let trainer = module.trainer {
      for metric in ReplicaMetric.merged(replicas.prefix(parts.count).map(\.metrics)) {
        switch metric.value {
        case .number(let number):
          trainer.record(metric.name, number, metric.options, sampleCount: metric.sampleCount)
        case .metric(let object): trainer.record(metric.name, object, metric.options)
        }
      }
    }
    return outputs
  }

  /// Runs `body` with each number in `0..<active` on the threads.
  private func each(_ active: Int, rows: [Int]?, _ body: (Int) throws -> Void) throws {
    _ = try unwrapped(gathered(active) { index in Result { try body(index) } }, rows: rows)
  }

  private func gathered<Output>(
    _ active: Int, _ body: (Int) -> Result<Output, any Error>
  ) -> [Result<Output, any Error>] {
    [Result<Output, any Error>](unsafeUninitializedCapacity: active) { buffer, count in
      let base = buffer.baseAddress
      threads.run(active) { index in (base! + index).initialize(to: body(index)) }
      count = active
    }
  }

  /// The values, or the error of the first replica that failed.
  private func unwrapped<Output>(_ results: [Result<Output, any Error>], rows: [Int]?) throws -> [Output] {
    var start = 0
    return try results.enumerated().map { index, result in
      let count = rows?[index] ?? 0
      defer { start += count }
      do {
        return try result.get()
      } catch let error as ConfigurationError {
        // What is wrong with the module as such is no matter of a replica.
        throw error
      } catch {
        throw ReplicaError.failed(
          replica: index, count: results.count, rows: rows == nil ? nil : start..<start + count, cause: error)
      }
    }
  }
}

// Losses
extension ReplicaGroup {
  private func losses(
    _ outputs: [StepOutput], _ parts: [ModuleStep<StepOutput>]
  ) -> [(replica: Int, loss: Tensor, weight: Double)] {
    let losses = outputs.indices.compactMap { index -> (replica: Int, loss: Tensor, samples: Int)? in
      guard case .loss(let loss) = outputs[index] else { return nil }
      return (index, loss, parts[index].sampleCount)
    }
    let samples = losses.reduce(0) { $0 + $1.samples }
    return losses.map { ($0.replica, $0.loss, Double($0.samples) / Double(max(1, samples))) }
  }

  private func mean(_ losses: [(loss: Tensor, weight: Double)]) -> Tensor {
    withoutGradients {
      let device = losses[0].loss.device
      let parts = losses.map { $0.loss.detached().to(device) * $0.weight }
      return parts.dropFirst().reduce(parts[0]) { $0 + $1 }
    }
  }

  /// The output of the whole step; a replica that skipped its part leaves the mean to the others.
  private func combined(_ outputs: [StepOutput], _ parts: [ModuleStep<StepOutput>]) throws -> StepOutput {
    if let base = outputs.first(where: { if case .notOverridden = $0 { true } else { false } }) { return base }
    let losses = losses(outputs, parts)
    if losses.isEmpty { return .skipped }
    if let odd = losses.first(where: { $0.loss.count != 1 }) { return .loss(odd.loss) }
    let combined = mean(losses.map { ($0.loss, $0.weight) })
    guard losses.contains(where: { $0.loss.requiresGradient }) else { return .loss(combined) }
    combined.requiresGradient = true
    var pending = PendingLoss(combined: combined, parts: Array(repeating: nil, count: outputs.count))
    for (replica, loss, weight) in losses { pending.parts[replica] = (loss, weight) }
    self.pending = pending
    return .loss(combined)
  }
}
