/// What happens when the loss of a batch is infinite or not a number.
public enum NonFiniteLoss: String, Sendable, CaseIterable {
  /// The run ends with ``TrainingError/nonFiniteLoss(value:epoch:batch:step:rank:)``; checkpoints written before stay.
  case stop
  /// Training goes on.
  case ignore
}
