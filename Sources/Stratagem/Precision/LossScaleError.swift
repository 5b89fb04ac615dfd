/// Gradients overflow although the loss is scaled as little as it may be.
public struct LossScaleError: Error, Sendable, CustomStringConvertible {
  /// The scale.
  public let scale: Double
  /// The first parameter of this rank whose gradient is not finite; nil when that happened on other ranks only.
  public let parameter: String?

  public var description: String {
    "the gradients are not finite although the loss scale is at its minimum, \(scale) "
      + "(\(parameter.map { "first in \($0)" } ?? "on another rank")): float16 cannot hold the numbers of this model; "
      + "train in bfloat16 (precision: \"bf16-mixed\", or \"bf16\" in the ds_config), lower the learning rate or clip "
      + "gradients, and resume from the last checkpoint: skipped steps have changed no weight"
  }
}
