internal import Glibc

/// What went wrong in one replica of a model.
public enum ReplicaError: Error, CustomStringConvertible {
  /// A replica's part of a step failed.
  ///
  /// - Parameters:
  ///   - replica: which one, from 0.
  ///   - count: how many took part.
  ///   - rows: the part of the batch that it had; nil where batches play no role, such as in backward.
  ///   - cause: what was thrown.
  case failed(replica: Int, count: Int, rows: Range<Int>?, cause: any Error)
  /// The system refused a thread, for the reason of the errno value.
  case cannotStart(replica: Int, code: Int32)

  public var description: String {
    switch self {
    case .failed(let replica, let count, let rows, let cause):
      "replica \(replica) of \(count)"
        + (rows.map { " (rows \($0.lowerBound)..<\($0.upperBound) of the batch)" } ?? "") + ": \(cause)"
    case .cannotStart(let replica, let code):
      "cannot start the thread of replica \(replica): \(String(cString: strerror(code))); use fewer devices"
    }
  }
}
