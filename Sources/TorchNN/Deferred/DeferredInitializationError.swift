/// Parameters or buffers whose initialisation cannot be deferred, or cannot be caught up on.
public struct DeferredInitializationError: Error, CustomStringConvertible {
  public struct Problem: Sendable {
    /// The key in the state dictionary; nil when it is not known.
    public let parameter: String?
    public let shape: [Int]
    public let reason: String

    var text: String { "\(parameter.map { "'\($0)' " } ?? "a parameter ")of shape \(shape): \(reason)" }
  }

  public let problems: [Problem]

  public var description: String {
    problems.count == 1
      ? "the initialisation of \(problems[0].text)"
      : "the initialisation of \(problems.count) parameters:" + problems.map { "\n  " + $0.text }.joined()
  }
}
