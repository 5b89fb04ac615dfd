/// A checkpoint that does not fit the run it is to be used in.
public struct CheckpointError: Error, Sendable, CustomStringConvertible {
  public let path: String
  public let reason: String
  /// Whether the reason names the rank on which all of them failed.
  private(set) var isOfAllRanks = false

  public init(path: String, reason: String) {
    self.path = path
    self.reason = reason
  }

  /// What failed on all ranks because it did on one.
  init(path: String, failingOn rank: Int, reason: String) {
    self.init(path: path, failingOnAll: "rank \(rank): \(reason)")
  }

  /// - Parameter reason: which names the rank.
  init(path: String, failingOnAll reason: String) {
    self.init(path: path, reason: reason)
    isOfAllRanks = true
  }

  public var description: String { "checkpoint '\(path)': \(reason)" }
}
