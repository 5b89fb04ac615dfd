internal import Stratagem
internal import Torch

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

  override func carriedState() -> ArchiveDictionary {
    var state: ArchiveDictionary = [
      "first_step": .int(firstStep), "first_seconds": .double(firstSeconds),
      "names": .list(names.sorted().map { .string($0) }),
    ]
    state["validated_step"] = validatedStep.map { .int($0) }
    return state
  }

  override func adopt(_ state: ArchiveDictionary) {
    firstStep = state["first_step"]?.intValue ?? 0
    firstSeconds = state["first_seconds"]?.doubleValue ?? 0
    names = Set((state["names"]?.listValue ?? []).compactMap(\.stringValue))
    validatedStep = state["validated_step"]?.intValue
  }

  /// What validation says of the present weights; nil when they were not validated.
  func validation(of trainer: Trainer) -> [String: Double]? {
    guard validatedStep == trainer.progress.globalStep else { return nil }
    return trainer.callbackMetrics.filter { names.contains($0.key) }
  }
}
