internal import CTorch

/// A collective, a store or a rendezvous that failed.
public struct DistributedError: Error, Sendable, CustomStringConvertible {
  /// What was tried, such as `all-reduce of [128, 64] float32`.
  public let operation: String
  public let rank: Int?
  /// What c10d says.
  public let message: String

  /// True when the cause lies with another process: a connection that was closed, or a peer that did not come in time.
  public var isConsequenceOfPeer: Bool {
    let signs = [
      "Connection closed by peer", "Connection reset by peer", "Broken pipe", "Timed out waiting", "Connection refused",
      "Application timeout", "recvValue failed", "Failed to recv", "recv failed", "Socket closed", "Wait timeout",
    ]
    return signs.contains { message.contains($0) }
  }

  public var description: String {
    let place = rank.map { " on rank \($0)" } ?? ""
    return "\(operation) failed\(place): \(message)"
  }

  /// The failure that the calling thread just met in c10d.
  static func last(_ operation: String, rank: Int? = nil) -> DistributedError {
    let message = String(cString: ct_error_message())
    ct_error_clear()
    let first = message.split(separator: "\n").first.map(String.init) ?? message
    return DistributedError(operation: operation, rank: rank, message: first)
  }

  package init(operation: String, rank: Int?, message: String) {
    self.operation = operation
    self.rank = rank
    self.message = message
  }
}
