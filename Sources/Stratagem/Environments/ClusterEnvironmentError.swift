/// Environment variables that do not describe a run, with what to change.
public struct ClusterEnvironmentError: Error, Sendable, Hashable, CustomStringConvertible {
  /// What is wrong and what to write instead.
  public let description: String

  /// Makes an error from a sentence that names the values and the remedy.
  public init(_ description: String) {
    self.description = description
  }
}
