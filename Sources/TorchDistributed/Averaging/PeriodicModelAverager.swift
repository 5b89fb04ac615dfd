public import Torch

/// Averages the models of all ranks every few steps.
///
/// See PyTorch's `PeriodicModelAverager`.
public final class PeriodicModelAverager: ModelAveraging {
  /// Steps from one averaging to the next, at least 1.
  public let period: Int
  /// How many steps pass before the first averaging, at least 0: those in which gradients are averaged.
  public let warmupSteps: Int
  public var step = 0

  public init(period: Int, warmupSteps: Int = 0) {
    self.period = period
    self.warmupSteps = warmupSteps
  }

  public func prepare(in group: ProcessGroup) throws {
    if period < 1 || warmupSteps < 0 {
      throw CommunicationHookError(
        hook: "periodic averaging", problem: "has period \(period) and warmupSteps \(warmupSteps)",
        suggestion: "give a period of at least 1 and at least 0 warmupSteps")
    }
    step = 0
  }

  public func average(_ parameters: [Tensor], in group: ProcessGroup) throws -> Bool {
    defer { step += 1 }
    guard step >= warmupSteps else { return true }
    guard (step - warmupSteps) % period == 0 else { return false }
    try group.average(parameters)
    return true
  }
}

extension ModelAveraging where Self == PeriodicModelAverager {
  /// The models of all ranks, every `period` steps; see ``PeriodicModelAverager``.
  public static func periodic(period: Int, warmupSteps: Int = 0) -> PeriodicModelAverager {
    PeriodicModelAverager(period: period, warmupSteps: warmupSteps)
  }
}
