internal import CTorch
internal import Torch

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
      "Application timeout", "recvValue failed", "Failed to recv", "recv failed", "Socket closed", "ait timeout",
      "socket has timed out", "ncclRemoteError",
      DistributedError.absence,
    ]
    return signs.contains { message.contains($0) }
  }

  /// True when the time was over before an answer came, with the connection intact.
  public var isTimeLimit: Bool { message.contains("ait timeout") || message.contains("imed out") }

  /// Part of the message about ranks that did not come.
  static let absence = "did not join within"

  public var description: String {
    let place = rank.map { " on rank \($0)" } ?? ""
    return "\(operation) failed\(place): \(message)"
  }

  /// The failure that the calling thread just met in c10d.
  ///
  /// - Parameter explain: what to say instead of c10d's whole message; nil for its first line, or what
  ///     is known about a failure of NCCL.
  static func last(
    _ operation: String, rank: Int? = nil, explain: (String) -> String? = { _ in nil }
  ) -> DistributedError {
    let message = String(cString: ct_error_message())
    ct_error_clear()
    let first = LibtorchMessage.tidied(message.split(separator: "\n").first.map(String.init) ?? message)
    return DistributedError(
      operation: operation, rank: rank, message: explain(message) ?? NCCLMessage.explained(message) ?? first)
  }

  package init(operation: String, rank: Int?, message: String) {
    self.operation = operation
    self.rank = rank
    self.message = message
  }
}
