import Stratagem

/// The probe's model, which tells the settings of libtorch that it is trained with.
final class SettingsModel: ProbeModel {
  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    if index == 0 { Self.tell("in a step") }
    return try super.trainingStep(batch, at: index)
  }

  static func tell(_ place: String) {
    let deterministic = TorchRuntime.usesDeterministicAlgorithms
    print("\(place): deterministic \(deterministic), anomalies \(TorchRuntime.detectsAnomalies)")
  }
}
