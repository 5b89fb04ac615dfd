import Stratagem

/// Scenarios of the loops: what is called when, and with which batches. Events go to `events.RANK`, a line each.
struct LoopProbe {
  let options: ProbeOptions
  let events: EventLog

  init(_ options: ProbeOptions) {
    self.options = options
    events = EventLog(options.folder)
  }

  func run() throws {
    let trainer = try makeTrainer(options.folder)
    events.rank = trainer.rank
    switch options.scenario {
    case "loops": try runStages(trainer)
    case "gan": try trainGAN(trainer)
    case "failing-hooks": try failInHook(trainer)
    case "structs": try useOtherBatches(trainer)
    default: throw ProbeError(description: "unknown scenario \(options.scenario)")
    }
  }

  private func runStages(_ trainer: Trainer) throws {
    let stages = options["stages"]?.split(separator: ",").map(String.init) ?? ["fit"]
    let model = makeModel()
    let data = LoopData(options)
    for stage in stages {
      switch stage {
      case "fit": try trainer.fit(model, data, resumeFrom: options["resume"])
      case "validate": show(try trainer.validate(model, data))
      case "test": show(try trainer.test(model, data))
      case "predict": _ = try trainer.predict(model, data)
      case "fit-again": try trainer.fit(makeModel(), data)
      default: throw ProbeError(description: "unknown stage \(stage)")
      }
    }
    if let path = options["weights"] { try trainer.save(model.stateDictionary(), path) }
  }

  private func show(_ metrics: [String: Double]) {
    for (name, value) in metrics.sorted(by: { $0.key < $1.key }) { events.note("metric \(name) \(value)") }
  }

  func makeModel() -> LoopModel {
    TorchRuntime.manualSeed(3)
    return LoopModel(options, events)
  }

  private func trainGAN(_ trainer: Trainer) throws {
    let model = GANModel(options)
    try trainer.fit(model, LoopData(options), resumeFrom: options["resume"])
    events.note("steps \(trainer.progress.globalStep)")
    if let path = options["weights"] { try trainer.save(model.stateDictionary(), path) }
  }

  private func failInHook(_ trainer: Trainer) throws {
    let model = FailingModel(options, events)
    let data = FailingData(options, events)
    do {
      switch options["stage"] {
      case "validate": try trainer.validate(model, data)
      case "test": try trainer.test(model, data)
      case "predict": _ = try trainer.predict(model, data)
      default: try trainer.fit(model, data)
      }
    } catch {
      events.note("caught \(error)")
      if options.devices > 1 || options.has("rethrow") { throw error }
    }
    events.note("module has \(model.trainer == nil ? "no" : "a") trainer")
    model.isFailing = false
    try trainer.fit(model, data)
    events.note("fitted \(trainer.progress.globalStep)")
  }

  private func useOtherBatches(_ trainer: Trainer) throws {
    let model = StructModel(events)
    let samples = (0..<12).map { Float($0) / 12 }
    let loader = DataLoader(samples, batchSize: 2) { PlainBatch(values: Tensor($0, shape: [$0.count, 1])) }
    try trainer.fit(model, train: loader, validation: loader)
    _ = try trainer.predict(model, LoaderDataModule(evaluation: loader))
  }
}

extension Trainer {
  /// Writes weights on rank 0.
  func save(_ weights: StateDictionary, _ path: String) throws {
    guard isGlobalZero else { return }
    try TorchFile.save(.dictionary(["state_dict": ArchiveValue(weights)]), to: path)
  }
}
