import Stratagem

/// The arguments of a trainer by options of the probe.
extension LoopProbe {
  func makeTrainer(_ output: String) throws -> Trainer {
    try Trainer(
      strategy: options["strategy"] ?? (options.devices == 1 ? "single_device" : "ddp"), accelerator: "cpu",
      devices: .count(options.devices), until: options.int("epochs").map { .epochs($0) },
      maxSteps: options.int("steps"), maxTime: options["max-time"].flatMap(Double.init).map { .seconds($0) },
      minEpochs: options.int("min-epochs"), minSteps: options.int("min-steps"),
      accumulate: options.int("accumulate", 1), clipNorm: options["clip-norm"].flatMap(Double.init),
      clipValue: options["clip-value"].flatMap(Double.init), limitTrainBatches: try limit("limit-train"),
      limitValidationBatches: try limit("limit-val"), limitTestBatches: try limit("limit-test"),
      limitPredictBatches: try limit("limit-predict"),
      overfitBatches: options.has("overfit") ? try limit("overfit") : nil, fastDevRun: options.int("dry-run", 0),
      validationInterval: try limit("interval"),
      validateEveryEpochs: options["every-epochs"] == "nil" ? nil : options.int("every-epochs", 1),
      sanityBatches: options.int("sanity", 0), logInterval: options.int("log-interval", 1),
      reloadLoadersEveryEpochs: options.int("reload", 0), useDistributedSampler: options["sampler"] != "no",
      deterministic: options["deterministic"].flatMap(Determinism.init) ?? .off,
      detectAnomaly: options.has("detect-anomaly"), inferenceMode: options["inference"] != "no",
      seed: options["seed"].flatMap { UInt64($0) }, callbacks: makeCallbacks(),
      checkpointing: options["checkpoints"] == "yes" || options.has("dry-run"),
      stateDictType: options["state"].flatMap { StateDictType(rawValue: $0) }, output: output, progress: .silent)
  }

  private func limit(_ name: String) throws -> Limit { try options[name].map { try Limit(parsing: $0) } ?? .all }

  private func makeCallbacks() -> [Callback] {
    var callbacks: [Callback] = [LoopRecorder(options, events)]
    if let text = options["accumulation"] {
      var scheduling: [Int: Int] = [:]
      for entry in text.split(separator: ",") {
        let parts = entry.split(separator: ":").compactMap { Int($0) }
        scheduling[parts[0]] = parts[1]
      }
      callbacks.append(GradientAccumulationScheduler(scheduling))
    }
    if let monitor = options["early"] {
      callbacks.append(
        EarlyStopping(
          monitor: monitor, mode: options["early-mode"] == "max" ? .maximum : .minimum,
          minimumDelta: options.double("early-delta", 0), patience: options.int("patience", 3),
          strict: options["strict"] != "no", checkFinite: options["check-finite"] != "no",
          stoppingThreshold: options["early-threshold"].flatMap(Double.init),
          divergenceThreshold: options["divergence"].flatMap(Double.init),
          checkOnTrainEpochEnd: options["on-train-end"].map { $0 == "yes" }))
    }
    if let seconds = options["timer"].flatMap(Double.init) {
      callbacks.append(
        Timer(duration: .seconds(seconds), interval: options["timer-interval"] == "epoch" ? .epoch : .step))
    }
    if let rate = options["swa"].flatMap(Double.init) {
      callbacks.append(
        StochasticWeightAveraging(
          learningRate: rate, start: .epoch(options.int("swa-start", 1)), annealingEpochs: options.int("annealing", 2),
          annealing: options["annealing-form"] == "linear" ? .linear : .cosine))
    }
    if let every = options.int("every-steps") {
      callbacks.append(ModelCheckpoint(monitor: nil, everySteps: every))
    } else if options.has("dry-run") {
      callbacks.append(ModelCheckpoint(monitor: nil))
    }
    return callbacks
  }
}
