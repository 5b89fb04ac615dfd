internal import Glibc
internal import Torch
internal import TorchDistributed

/// A launcher of several processes, one of whose failures is the failure of all.
open class ProcessLauncher: Launcher {
  open override var isRepeatedInWorkers: Bool { false }

  /// When a process dies, the others see closed connections: such an error of rank 0 is only the echo of a worker's.
  open override func cause(of error: any Error) -> any Error {
    guard let supervisor else { return error }
    if Self.isConsequenceOfPeer(error), let failure = supervisor.rootFailure(within: 1) { return failure }
    supervisor.abort()
    return error
  }

  /// A worker reports the error and ends: its program could only say the same again.
  open override func leave(with error: any Error) {
    let kind = Self.isConsequenceOfPeer(error) ? WorkerReport.Kind.communication : .error
    guard WorkerReport(rank: world?.rank ?? 0, kind: kind, message: "\(error)").send() else { return }
    fflush(nil)
    _exit(1)
  }

  /// Whether an error says no more than that another process did not answer.
  static func isConsequenceOfPeer(_ error: any Error) -> Bool {
    switch error {
    case let error as DistributedError: error.isConsequenceOfPeer
    case let error as TorchError:
      DistributedError(operation: error.operation, rank: nil, message: error.message).isConsequenceOfPeer
    default: false
    }
  }
}
