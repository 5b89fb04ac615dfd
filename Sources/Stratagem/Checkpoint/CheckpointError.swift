/// A checkpoint that does not fit the run it is to be used in.
public struct CheckpointError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let reason: String

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  public var description: String { "checkpoint '\(path)': \(reason)" }
}
