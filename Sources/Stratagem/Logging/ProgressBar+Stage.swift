extension ProgressBar {
  /// What the counted batches are for.
  public enum Stage: Sendable, Hashable {
    /// Training; shown as `Epoch 3/10`.
    case train
    /// Validation; inside of training it gets a line of its own below the epoch's, gone when it is finished.
    case validation
    /// The validation of a few batches before training.
    case sanityCheck
    /// Testing.
    case test
    /// Prediction.
    case prediction

    /// The words that name the stage on the screen.
    var label: String {
      switch self {
      case .train: "Epoch"
      case .validation: "Validation"
      case .sanityCheck: "Sanity check"
      case .test: "Test"
      case .prediction: "Prediction"
      }
    }
  }
}
