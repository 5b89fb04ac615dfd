/// Changes, from epoch to epoch, how many batches go into an optimizer step.
///
/// ```swift
/// // 8 batches a step in the first four epochs, 4 in the next four, then 1
/// GradientAccumulationScheduler([0: 8, 4: 4, 8: 1])
/// ```
public final class GradientAccumulationScheduler: Callback {
  /// The batches of a step from an epoch on; epochs count from 0.
  public let scheduling: [Int: Int]
  private var before: Int?

  /// - Parameter scheduling: from which epoch on, how many batches. Before the first epoch named it is one.
  public init(_ scheduling: [Int: Int]) { self.scheduling = scheduling }

  public override func setup(_ trainer: Trainer, _ stage: Stage) throws {
    guard stage == .fit else { return }
    var problems: [ConfigurationError.Problem] = []
    func report(_ message: String, _ suggestion: String) {
      problems.append(.init("GradientAccumulationScheduler", message, suggestion: suggestion))
    }
    if scheduling.isEmpty { report("GradientAccumulationScheduler has no entries", "write, for example, [0: 4]") }
    for (epoch, batches) in scheduling.sorted(by: { $0.key < $1.key }) where epoch < 0 || batches < 1 {
      report(
        "GradientAccumulationScheduler: \(batches) batches from epoch \(epoch) on",
        "count epochs from 0 and give at least 1 batch")
    }
    if trainer.settings.accumulate != 1 {
      report(
        "accumulate: \(trainer.settings.accumulate) and a GradientAccumulationScheduler are both given", "choose one")
    }
    if let module = trainer.module, !module.automaticOptimization {
      report(
        "GradientAccumulationScheduler has no effect on \(type(of: module)), whose optimization is manual",
        "remove it and step the optimizer yourself")
    }
    if trainer.strategy.handlesGradientAccumulation {
      report(
        "strategy '\(trainer.strategy.strategyDescription.name)' accumulates gradients itself",
        "give it a number of batches instead")
    }
    if let error = ConfigurationError(problems) { throw error }
    before = trainer.accumulate
  }

  /// The batches of a step in an epoch.
  public func batches(inEpoch epoch: Int) -> Int {
    scheduling.filter { $0.key <= epoch }.max { $0.key < $1.key }?.value ?? 1
  }

  public override func onTrainEpochStart(_ trainer: Trainer) {
    trainer.accumulate = batches(inEpoch: trainer.progress.epoch)
  }

  public override func teardown(_ trainer: Trainer, _ stage: Stage) {
    if stage == .fit, let before { trainer.accumulate = before }
  }
}
