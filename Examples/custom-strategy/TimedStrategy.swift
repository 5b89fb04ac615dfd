import Stratagem

/// A strategy of one process from the base class, which measures how long training steps take.
final class TimedStrategy: Strategy {
  private var steps = 0
  private var duration = Duration.zero

  override func trainingStep(_ step: ModuleStep<StepOutput>, synchronizing: Bool) throws -> StepOutput {
    let start = ContinuousClock.now
    defer {
      steps += 1
      duration += ContinuousClock.now - start
    }
    return try super.trainingStep(step, synchronizing: synchronizing)
  }

  override func onTrainEnd() {
    print("timed: \(steps) steps, \(duration / max(1, steps)) each for the forward pass")
  }
}
