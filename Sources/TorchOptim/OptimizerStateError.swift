/// Says why a state dictionary does not fit an optimizer, naming every mismatch at once.
public struct OptimizerStateError: Error, Sendable, CustomStringConvertible {
  /// The type of the optimizer that refused the state, such as `AdamW`.
  public let optimizer: String
  /// One sentence per mismatch, in the order of the parameters.
  public let problems: [String]

  package init(optimizer: String, problems: [String]) {
    self.optimizer = optimizer
    self.problems = problems
  }

  public var description: String {
    let heading = "the saved state does not fit this \(optimizer); nothing was loaded"
    guard problems.count > 1 else { return "\(heading): \(problems.first ?? "unknown reason")" }
    return "\(heading) (\(problems.count) problems):\n" + problems.map { "  - \($0)" }.joined(separator: "\n")
  }
}
