/// What is wrong with the arguments of a run: every problem found, not only the first.
public struct ConfigurationError: Error, Hashable, Sendable {
  /// One thing that is wrong, and what to write instead.
  public struct Problem: Hashable, Sendable {
    /// The argument or environment variable that has to change, such as `devices` or `WORLD_SIZE`.
    public var parameter: String

    /// What is wrong, with the values.
    public var message: String

    /// What to write instead.
    public var suggestion: String?

    /// Creates a problem.
    public init(_ parameter: String, _ message: String, suggestion: String? = nil) {
      self.parameter = parameter
      self.message = message
      self.suggestion = suggestion
    }
  }

  /// The problems in the order in which they were found; never empty.
  public let problems: [Problem]

  /// Creates an error of one problem.
  public init(_ parameter: String, _ message: String, suggestion: String? = nil) {
    problems = [Problem(parameter, message, suggestion: suggestion)]
  }

  /// Creates an error of several problems, or nothing when there are none.
  public init?(_ problems: [Problem]) {
    if problems.isEmpty { return nil }
    self.problems = problems
  }
}

extension ConfigurationError.Problem: CustomStringConvertible {
  public var description: String {
    guard let suggestion else { return message }
    return message + "; " + suggestion
  }
}

extension ConfigurationError: CustomStringConvertible {
  /// The only problem as a sentence, or all of them as a numbered list.
  public var description: String {
    if problems.count == 1 { return problems[0].description }
    let lines = problems.enumerated().map { "  \($0.offset + 1). \($0.element)" }
    return "\(problems.count) problems in the configuration:\n" + lines.joined(separator: "\n")
  }
}
