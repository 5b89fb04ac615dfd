internal import Torch
internal import TorchOptim

/// The scale of the loss from step to step.
///
/// After an overflow the hysteresis is used up first; then the scale is halved, and at its minimum there is an error.
/// After `window` steps without overflow it doubles. These are the rules of DeepSpeed's `DynamicLossScaler`; PyTorch's are
/// in `GradScaler`.
public struct LossScaler {
  public let options: LossScaling
  /// What the loss is multiplied by.
  public private(set) var scale: Double
  /// Overflows until the scale is halved.
  public private(set) var hysteresis: Int
  private var iteration = 0
  private var lastOverflow = -1

  public init(_ options: LossScaling = LossScaling()) {
    self.options = options
    hysteresis = options.hysteresis
    scale = options.fixed > 0 ? options.fixed : Double(sign: .plus, exponent: options.initialPower, significand: 1)
  }

  /// Whether the scale changes.
  public var isDynamic: Bool { options.fixed == 0 }

  /// Adapts the scale after a step.
  ///
  /// - Returns: false when the scale was to become smaller and is at its minimum already.
  mutating func update(overflow: Bool) -> Bool {
    guard isDynamic else { return true }
    defer { iteration += 1 }
    if overflow {
      lastOverflow = iteration
      guard hysteresis == 1 else {
        hysteresis -= 1
        return true
      }
      guard scale > options.minimum else { return false }
      scale = max(scale / 2, options.minimum)
      return true
    }
    let isWindowFull = (iteration - lastOverflow) % options.window == 0
    if isWindowFull || options.restoresHysteresis { hysteresis = options.hysteresis }
    if isWindowFull { scale *= 2 }
    return true
  }

  func state() -> ArchiveDictionary {
    [
      "cur_scale": .double(scale), "cur_hysteresis": .int(hysteresis), "cur_iter": .int(iteration),
      "last_overflow_iter": .int(lastOverflow),
    ]
  }

  mutating func load(_ state: ArchiveDictionary) throws(OptimizerStateError) {
    var reader = StateReader(state)
    var copy = self
    reader.read("cur_scale", into: &copy.scale)
    reader.read("cur_hysteresis", into: &copy.hysteresis)
    reader.read("cur_iter", into: &copy.iteration)
    reader.read("last_overflow_iter", into: &copy.lastOverflow)
    guard reader.problems.isEmpty else {
      throw OptimizerStateError(optimizer: "LossScaler", problems: reader.problems)
    }
    self = copy
  }
}
