internal import Stratagem

/// Remembers what the summary of a fit needs and the trainer does not keep: where the fit began, and what validation
/// logged last.
final class RunRecorder: Callback {
  private(set) var firstStep = 0
  private(set) var firstSeconds = 0.0
  private var namesBefore: Set<String> = []
  private var names: Set<String> = []
  private var validatedStep: Int?

  override func onTrainStart(_ trainer: Trainer) {
    firstStep = trainer.progress.globalStep
    firstSeconds = trainer.progress.seconds
  }

  override func onValidationStart(_ trainer: Trainer) {
    namesBefore = Set(trainer.callbackMetrics.keys)
  }

  override func onValidationEnd(_ trainer: Trainer) {
    names.formUnion(Set(trainer.callbackMetrics.keys).subtracting(namesBefore))
    validatedStep = trainer.progress.globalStep
  }

  /// What validation says of the present weights; nil when they were not validated.
  func validation(of trainer: Trainer) -> [String: Double]? {
    guard validatedStep == trainer.progress.globalStep else { return nil }
    return trainer.callbackMetrics.filter { names.contains($0.key) }
  }
}
