internal import TorchOptim

/// Optimizers and schedules in the loop.
extension FitLoop {
  /// What a module with manual optimization may not ask of the trainer, found before processes are started.
  static func check(_ model: AnyLightningModule, _ settings: TrainerSettings) throws(ConfigurationError) {
    guard !model.automaticOptimization else { return }
    var problems: [ConfigurationError.Problem] = []
    func refuse(_ parameter: String, _ value: String, _ instead: String) {
      problems.append(
        .init(
          parameter, "\(parameter): \(value) has no effect on \(type(of: model)), whose optimization is manual",
          suggestion: instead))
    }
    if settings.accumulate > 1 {
      refuse(
        "accumulate", "\(settings.accumulate)", "step the optimizer after every \(settings.accumulate) batches yourself"
      )
    }
    if let norm = settings.clipNorm {
      refuse("clipNorm", "\(norm)", "call clipGradients(of: optimizer, norm: \(norm)) before its step")
    }
    if let value = settings.clipValue {
      refuse("clipValue", "\(value)", "call clipGradients(of: optimizer, value: \(value)) before its step")
    }
    if let error = ConfigurationError(problems) { throw error }
  }

  func checkOptimizers() throws(ConfigurationError) {
    guard model.automaticOptimization else { return }
    if strategy.optimizers.count > 1 {
      throw ConfigurationError(
        "configureOptimizers",
        "\(type(of: model)) has \(strategy.optimizers.count) optimizers, and the trainer steps one",
        suggestion: "override automaticOptimization to be false and step them in trainingStep(_:at:)")
    }
    for entry in strategy.schedules where entry.schedule is ReduceLROnPlateau && entry.monitor == nil {
      throw ConfigurationError(
        "monitor", "the plateau schedule of \(type(of: model)) watches no metric",
        suggestion: "give the plan a monitor, such as \"val/loss\"")
    }
  }

  /// Advances the schedules that are due after a step; those of the epoch on its last batch, as in Lightning.
  func advanceSchedules(isLastOfEpoch: Bool) throws {
    for entry in strategy.schedules where !(entry.schedule is ReduceLROnPlateau) {
      switch entry.interval {
      case .step:
        if trainer.progress.globalStep % entry.frequency == 0 { try model.scheduleStep(entry.schedule, metric: nil) }
      case .epoch:
        if isLastOfEpoch, (trainer.progress.epoch + 1) % entry.frequency == 0 {
          try model.scheduleStep(entry.schedule, metric: nil)
        }
      }
    }
  }

  /// Advances the schedules that watch a metric and are due after a step.
  func advanceStepPlateaus() throws {
    if trainer.isStepBoundary { try advancePlateaus(.step, count: trainer.progress.globalStep) }
  }

  /// Advances the schedules that watch a metric; all ranks go by the value of rank 0.
  func advancePlateaus(_ interval: OptimizerPlan.Interval, count: Int) throws {
    guard model.automaticOptimization else { return }
    for entry in strategy.schedules where entry.interval == interval && count % entry.frequency == 0 {
      guard entry.schedule is ReduceLROnPlateau else { continue }
      let own = entry.monitor.flatMap { trainer.callbackMetrics[$0] }
      guard let value = try strategy.broadcast(number: own) else {
        guard entry.strict else { continue }
        let known = trainer.callbackMetrics.keys.sorted().joined(separator: ", ")
        throw ConfigurationError(
          "monitor", "the plateau schedule watches '\(entry.monitor ?? "nothing")', which was not logged",
          suggestion: known.isEmpty ? "log it" : "log it, or name one of \(known)")
      }
      try model.scheduleStep(entry.schedule, metric: value)
    }
  }
}
