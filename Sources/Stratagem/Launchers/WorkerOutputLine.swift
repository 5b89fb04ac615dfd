/// A line that a worker printed.
public struct WorkerOutputLine: Sendable, Hashable {
  /// Where a worker printed it.
  public enum Stream: Sendable, Hashable {
    case output
    case error
  }

  /// The global rank of the worker.
  public let rank: Int
  /// Where the worker printed it.
  public let stream: Stream
  /// The line without its newline, as it was printed.
  public let bytes: [UInt8]

  /// The line as text; bytes that are not UTF-8 are repaired.
  public var text: String { String(decoding: bytes, as: UTF8.self) }
}
