internal import TorchOptim

/// Logs the learning rates of all optimizers, under Lightning's names.
///
/// A rate is called `lr-AdamW`, after its optimizer, or as its schedule is called in the ``OptimizerPlan``. Several
/// groups are told apart as `lr-AdamW/pg1`, `lr-AdamW/pg2`, several optimizers of a kind as `lr-AdamW`, `lr-AdamW-1`.
public final class LearningRateMonitor: Callback {
  /// When rates are logged: with every step that is logged, once an epoch, or (nil) as their schedule advances.
  public let interval: OptimizerPlan.Interval?
  /// Whether momentum is logged, too: `lr-SGD-momentum`; the first beta for Adam.
  public let logsMomentum: Bool
  /// Whether weight decay is logged, too: `lr-SGD-weight_decay`.
  public let logsWeightDecay: Bool

  /// - Parameters:
  ///   - interval: with steps, with epochs, or as each schedule advances; rates without a schedule are then logged with
  ///     both.
  ///   - momentum: log the momentum.
  ///   - weightDecay: log the weight decay.
  public init(every interval: OptimizerPlan.Interval? = nil, momentum: Bool = false, weightDecay: Bool = false) {
    self.interval = interval
    logsMomentum = momentum
    logsWeightDecay = weightDecay
  }

  public override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) {
    if interval != .epoch, trainer.isLogStep { log(trainer, .step) }
  }

  public override func onTrainEpochStart(_ trainer: Trainer) {
    if interval != .step { log(trainer, .epoch) }
  }

  private func log(_ trainer: Trainer, _ moment: OptimizerPlan.Interval) {
    let strategy = trainer.strategy
    // As in Lightning a rate whose optimizer has no schedule of its own is logged at every moment.
    for (optimizer, name) in LearningRateMonitor.names(strategy.optimizers, strategy.schedules) {
      let schedules = strategy.schedules.filter { $0.schedule.optimizer === optimizer }
      guard interval != nil || schedules.isEmpty || schedules.contains(where: { $0.interval == moment }) else {
        continue
      }
      let groups = optimizer.parameterGroups
      for (position, group) in groups.enumerated() {
        let name = groups.count > 1 ? "\(name)/pg\(position + 1)" : name
        log(trainer, name, group.learningRate, moment)
        if logsMomentum { log(trainer, name + "-momentum", group.momentumCoefficient ?? 0, moment) }
        if logsWeightDecay { log(trainer, name + "-weight_decay", group.weightDecay, moment) }
      }
    }
  }

  private func log(_ trainer: Trainer, _ name: String, _ value: Double, _ moment: OptimizerPlan.Interval) {
    trainer.log(name, value, on: moment == .step ? .step : .epoch, acrossRanks: false)
  }

  /// The name of the rate of each optimizer.
  static func names(
    _ optimizers: [Optimizer], _ schedules: [OptimizerPlan.Schedule]
  ) -> [(optimizer: Optimizer, name: String)] {
    var counts: [String: Int] = [:]
    return optimizers.map { optimizer in
      if let given = schedules.lazy.filter({ $0.schedule.optimizer === optimizer }).compactMap(\.name).first {
        return (optimizer: optimizer, name: given)
      }
      let name = "lr-\(type(of: optimizer))"
      let count = counts[name, default: 0]
      counts[name] = count + 1
      return (optimizer: optimizer, name: count > 0 ? "\(name)-\(count)" : name)
    }
  }
}
