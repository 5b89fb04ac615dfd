import Stratagem
import StratagemLoggers

/// One process of a probe run.
struct Probe {
  let options: ProbeOptions
  let recorder: HookRecorder
  private let watcher: WeightWatcher

  init(_ options: ProbeOptions) {
    self.options = options
    recorder = HookRecorder(options)
    watcher = WeightWatcher(options.folder)
  }

  func run() throws {
    if options.scenario == "bagua" { return try BaguaProbe(options).run() }
    let trainer = try makeTrainer(options.folder)
    switch options.scenario {
    case "fit": try fit(trainer)
    case "stages": try runStages(trainer)
    case "words": try evaluateWords(trainer)
    case "fit-twice": try fitTwice(trainer)
    case "fit-again": try fitAgain(trainer)
    case "other-size": try changeSize(trainer)
    case "validate": report(trainer, try trainer.validate(makeModel(), makeData(trainer), from: options["from"]))
    case "predict": try predict(trainer)
    case "catch": try goOnAfterFailure(trainer)
    case "compare-after-failure": try compareAfterFailure(trainer)
    case "settings": try changeSettings(trainer)
    case "layer-sync": try synchronizeLayers(trainer)
    case "ranks-differ": try loseRank(trainer)
    case "program": try runProgram(trainer)
    case "fail-then-fit": try failThenFit(trainer)
    case "two-strategies": try fitWithTwoStrategies(trainer)
    case "threads": try fitWithThreads(trainer)
    case "other-path": try takeOtherPath(trainer)
    case "own-launcher": try useOwnLauncher()
    default: throw ProbeError(description: "unknown scenario \(options.scenario)")
    }
  }

  func makeTrainer(_ output: String) throws -> Trainer {
    var callbacks: [Callback] = [recorder]
    if options.has("monitors") {
      callbacks += [LearningRateMonitor(momentum: true, weightDecay: true), DeviceStatsMonitor(), ModelSummary()]
    }
    if options.has("watch") { callbacks.append(watcher) }
    if options.has("speak") { callbacks.append(HorovodSpeaker()) }
    return try Trainer(
      strategy: try strategy(), accelerator: options["accelerator"] ?? "cpu", devices: .count(options.devices),
      numNodes: options.int("nodes", 1), precision: try precision(),
      plugins: makePlugins() + (options.has("layer-sync-plugin") ? [SyncBatchNormalization()] : []),
      until: options.int("epochs").map { .epochs($0) }, maxSteps: options.int("steps"),
      accumulate: options.int("accumulate", 1), clipNorm: options["clip-norm"].flatMap { Double($0) },
      fastDevRun: options.int("dry", 0),
      validationInterval: options.int("validation-interval").map { .batches($0) } ?? .all,
      validateEveryEpochs: options.int("validate-every", 1), sanityBatches: options.int("sanity", 0),
      syncBatchNorm: options.has("sync-batch-norm"),
      deterministic: options["deterministic"].flatMap { Determinism(rawValue: $0) } ?? .off,
      detectAnomaly: options.has("detect-anomaly"), callbacks: callbacks + makeModelCheckpoints(),
      loggers: loggers(output),
      checkpointing: options["checkpoints"] != "no",
      stateDictType: options["state"].flatMap { StateDictType(rawValue: $0) }, output: output)
  }

  private func strategy() throws -> any StrategyConvertible {
    if options["strategy"] == "horovod" { return horovod() }
    if let notice = options.double("notice") {
      return DDPStrategy(
        timeout: options.double("timeout", 1800), stallNotice: notice,
        startMethod: StartMethod(rawValue: options["start"] ?? "relaunch") ?? .relaunch)
    }
    if options.has("hook") || options.has("average") { return hookedStrategy() }
    return switch options["strategy"] {
    case "killed-ddp": KilledDDP(options)
    case "killed-fsdp": KilledFSDP(options)
    case "killed-deepspeed": KilledDeepSpeed(options)
    case "recorded-ddp": RecordedDDP(recorder, startMethod: .relaunch)
    case "recorded-spawn": RecordedDDP(recorder, startMethod: .spawn)
    case "recorded-fork": RecordedDDP(recorder, startMethod: .fork)
    case "own_bagua_by_name": try OwnBagua(named: "bytegrad")
    case let name?: name
    case nil: options.devices == 1 ? "single_device" : "ddp"
    }
  }

  /// The loggers that `loggers` names, such as `csv,tensorboard`; that of the trainer when it names none.
  private func loggers(_ output: String) -> [any MetricLogger]? {
    options["loggers"]?.split(separator: ",").map { name in
      switch name {
      case "tensorboard": TensorBoardLogger(output, flushSeconds: options.double("flush-seconds", 10))
      case "jsonl": JSONLLogger(output, flushSeconds: options.double("flush-seconds", 10))
      default: CSVLogger(output)
      }
    }
  }

  func makeModel(seed: UInt64 = 3) -> ProbeModel {
    TorchRuntime.manualSeed(seed)
    if options["model"] == "normalized" { return NormalizedModel(options, recorder) }
    if options["model"] == "blocks" { return BlockModel(options, recorder) }
    if options["model"] == "logging" { return LoggingModel(options, recorder) }
    let model = options.has("hooks") ? RecordedModel(options, recorder) : ProbeModel(options, recorder)
    if options.has("frozen-on-1"), environment("LOCAL_RANK") == "1" { model.fc2.bias?.requiresGradient = false }
    return model
  }

  func makeData(_ trainer: Trainer) -> ProbeData { ProbeData(options, recorder) { trainer.rank } }

  func fit(_ trainer: Trainer) throws {
    let data = makeData(trainer)
    let resume = options["resume"]
    switch options["model"] {
    case "no-optimizer": try trainer.fit(ModelWithoutOptimizer(), data)
    case "no-training-step": try trainer.fit(ModelWithoutTrainingStep(), data)
    case "no-evaluation": try trainer.fit(ModelWithoutEvaluation(), data)
    case "other": try trainer.fit(OtherModel(), data, resumeFrom: resume)
    default:
      let model = makeModel()
      try trainer.fit(model, data, resumeFrom: resume)
      try reportWeights(trainer, model)
      reportScale(trainer)
    }
  }

  private func runStages(_ trainer: Trainer) throws {
    let model = makeModel()
    let data = makeData(trainer)
    try trainer.fit(model, data)
    report(trainer, try trainer.validate(model, data))
    report(trainer, try trainer.test(model, data))
    _ = try trainer.predict(model, data)
  }

  private func fitTwice(_ trainer: Trainer) throws {
    let first = makeModel()
    try trainer.fit(first, makeData(trainer))
    try reportWeights(trainer, first)
    let other = try makeTrainer(options.folder + "/second")
    let second = makeModel()
    try other.fit(second, makeData(other))
    try reportWeights(other, second)
    let again = makeModel()
    try trainer.fit(again, makeData(trainer))
    try reportWeights(trainer, again)
  }

  private func changeSize(_ trainer: Trainer) throws {
    try trainer.fit(makeModel(), makeData(trainer))
    let other = try Trainer(
      strategy: "ddp", accelerator: "cpu", devices: .count(options.devices + 1), maxSteps: 1,
      output: options.folder + "/second")
    try other.fit(makeModel(), makeData(other))
  }

  private func predict(_ trainer: Trainer) throws {
    guard let rows = try trainer.predict(makeModel(), makeData(trainer), from: options["from"]) else { return }
    guard trainer.isGlobalZero else { return }
    for row in 0..<rows.size(0) { print("row \(row) \(try rows[row].array(as: Float.self))") }
  }

  /// A program that catches the error of a run and ends well.
  private func goOnAfterFailure(_ trainer: Trainer) throws {
    do {
      try trainer.fit(makeModel(), makeData(trainer))
    } catch {
      print("caught: \(error)")
    }
  }

  /// Whether a run that cannot begin has left the weights as they were.
  private func compareAfterFailure(_ trainer: Trainer) throws {
    TorchRuntime.manualSeed(3)
    let model: LightningModule<[Tensor]> = options["model"] == "other" ? OtherModel() : makeModel()
    let before = try weightSum(of: model)
    watcher.isUntouched = { try weightSum(of: model) == before }
    do { try trainer.fit(model, makeData(trainer), resumeFrom: options["resume"]) } catch {
      print("failed: \(error)")
      print(try watcher.isUntouched() ? "weights are untouched" : "weights have changed")
    }
  }

  /// The ranks do not run the same program: rank 1 ends after the first fit.
  private func loseRank(_ trainer: Trainer) throws {
    try trainer.fit(makeModel(), makeData(trainer))
    if trainer.rank == 1 { return }
    try trainer.fit(makeModel(), makeData(trainer))
  }

  func report(_ trainer: Trainer, _ metrics: [String: Double]) {
    guard trainer.isGlobalZero else { return }
    for (name, value) in metrics.sorted(by: { $0.key < $1.key }) { print("\(name) \(value)") }
    print("samples \(trainer.evaluatedSamples)")
  }

  /// Prints a sum over the bits of all weights, so that ranks and runs can be compared to the bit.
  func reportWeights(_ trainer: Trainer, _ model: ProbeModel) throws {
    print("weights of rank \(trainer.rank): \(try weightSum(of: model))")
  }

  func weightSum(of model: Module) throws -> UInt64 {
    var hash: UInt64 = 14_695_981_039_346_656_037
    for parameter in model.parameters() {
      for value in try parameter.tensor.detached().to(.float64).array(as: Double.self) {
        hash = (hash ^ value.bitPattern) &* 1_099_511_628_211
      }
    }
    return hash
  }
}
