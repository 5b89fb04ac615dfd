/// The arguments of a trainer that concern its loops.
public struct TrainerSettings: Sendable {
  public let until: TrainingDuration?
  public let maxSteps: Int?
  public let accumulate: Int
  public let clipNorm: Double?
  public let clipValue: Double?
  public let limitTrainBatches: Limit
  public let limitValidationBatches: Limit
  public let limitTestBatches: Limit
  public let limitPredictBatches: Limit
  public let validateEveryEpochs: Int
  public let sanityBatches: Int
  public let nonFiniteLoss: NonFiniteLoss

  /// Epochs of a fit for which nothing else is said, as in Lightning.
  static let defaultEpochs = 1000

  /// The epochs after which training ends at the latest, when that is what limits it.
  var totalEpochs: Int? {
    switch until {
    case .epochs(let epochs): epochs
    case nil: maxSteps == nil ? TrainerSettings.defaultEpochs : nil
    default: nil
    }
  }

  func check() throws(ConfigurationError) {
    var problems: [ConfigurationError.Problem] = []
    if let maxSteps, maxSteps < 1 {
      problems.append(.init("maxSteps", "maxSteps is \(maxSteps)", suggestion: "give at least 1, or leave it out"))
    }
    if validateEveryEpochs < 1 {
      problems.append(
        .init(
          "validateEveryEpochs", "validateEveryEpochs is \(validateEveryEpochs)",
          suggestion: "give at least 1; limitValidationBatches: 0 switches validation off"))
    }
    if let error = ConfigurationError(problems) { throw error }
  }
}
