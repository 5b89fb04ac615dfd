/// How the loss is scaled in float16, after DeepSpeed's block `fp16`.
public struct LossScaling: Sendable, Hashable {
  /// The scale that never changes; 0 for one that finds itself.
  public var fixed = 0.0
  /// A scale that finds itself begins with 2 to this power.
  public var initialPower = 16
  /// Steps without overflow after which the scale doubles.
  public var window = 1000
  /// Overflows that leave the scale as it is, less one, before it is halved.
  public var hysteresis = 2
  /// Whether every step without overflow restores the hysteresis; otherwise a whole window does.
  public var restoresHysteresis = false
  /// The smallest scale.
  public var minimum = 1.0

  public init() {}
}
