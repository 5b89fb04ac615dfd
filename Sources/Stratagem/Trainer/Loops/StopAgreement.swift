internal import Torch
internal import TorchDistributed

/// Lets all ranks of a fit stop after the same step when a signal has reached some of them.
///
/// At each call a rank says whether it was told to stop, and hears what the ranks said at the call before: the answer
/// travels while the next step is computed.
final class StopAgreement {
  private let group: ProcessGroup
  private let message = Tensor([0])
  private var work: Work?

  init(_ group: ProcessGroup) { self.group = group }

  /// Called on all ranks, equally often.
  ///
  /// - Parameter asked: the signal that this rank was told to stop by.
  /// - Returns: the signal that a rank had been told to stop by when it called before; the same on all ranks.
  func signal(_ asked: Int?) throws -> Int? {
    if let agreed = try finish() { return agreed }
    withoutGradients { message.fill(Scalar(asked ?? 0)) }
    work = try group.startAllReduce(message, by: .maximum)
    return nil
  }

  /// What the ranks said at the last call. Called on all ranks.
  func finish() throws -> Int? {
    guard let work else { return nil }
    self.work = nil
    try work.wait()
    let agreed = try message.integer()
    return agreed == 0 ? nil : agreed
  }
}
