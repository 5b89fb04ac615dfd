public import Torch

/// What a step of a module answers.
public enum StepOutput {
  /// The loss, a single number, from which backward starts.
  case loss(Tensor)
  /// Nothing to train on in this batch, or nothing more to say in an evaluation.
  case skipped
  /// The answer of the base class.
  case notOverridden
}
