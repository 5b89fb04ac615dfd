import Stratagem

/// The probe's model with batch normalization, which tells when its layer works together with those of other ranks.
final class NormalizedModel: ProbeModel {
  let bn = BatchNorm1d(8)
  private var told: Set<String> = []

  override func callAsFunction(_ input: Tensor) -> Tensor { fc2(dropout(bn(fc1(input)).relu())) }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    tell("training")
    return try super.trainingStep(batch, at: index)
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    tell(trainer?.stage == .fit ? "validation of a fit" : "validation")
    return try super.validationStep(batch, at: index)
  }

  /// Prints once a place whether the layer is synchronized.
  func tell(_ place: String) {
    guard told.insert(place).inserted else { return }
    print("\(place): synchronized \(bn.normalizer != nil)")
  }
}
