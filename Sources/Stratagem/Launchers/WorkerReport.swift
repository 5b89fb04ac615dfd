import Glibc

/// What a worker tells its supervisor before it ends.
public struct WorkerReport: Sendable, Hashable {
  /// What is told.
  public enum Kind: String, Sendable, Hashable {
    /// The worker itself failed.
    case error
    /// Another process could not be reached, most likely because that one failed.
    case communication
    /// The worker has done what it was started for.
    case completed
  }

  /// The global rank of the worker.
  public let rank: Int
  /// The kind of failure.
  public let kind: Kind
  /// The error in words.
  public let message: String

  /// Makes a report.
  public init(rank: Int, kind: Kind, message: String) {
    self.rank = rank
    self.kind = kind
    self.message = message
  }

  /// Sends the report to the supervisor and returns whether there is one: false in a process that is no worker.
  ///
  /// The first report of a worker counts. The supervisor ends the run on it, so send it only when the error leaves
  /// the worker's program.
  @discardableResult
  public func send() -> Bool {
    guard WorkerProcess.isWorker || WorkerProcess.isLaunched else { return false }
    return send(to: WorkerProcess.reportDescriptor)
  }

  func send(to descriptor: Int32) -> Bool {
    let bytes = Array((encoded() + "\n").utf8)
    return bytes.withUnsafeBytes { buffer in
      var sent = 0
      while sent < buffer.count {
        let count = write(descriptor, buffer.baseAddress! + sent, buffer.count - sent)
        if count < 0, errno == EINTR { continue }
        guard count > 0 else { return false }
        sent += count
      }
      return true
    }
  }
}
