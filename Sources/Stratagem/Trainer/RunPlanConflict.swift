/// A rule about arguments that exclude each other or have a range: one row of the conflict table.
struct RunPlanConflict: Sendable {
  /// What a rule found.
  enum Finding: Hashable, Sendable {
    /// The run cannot start.
    case problem(ConfigurationError.Problem)
    /// The run can start, but the user should know.
    case warning(String)
    /// The user might have meant something else.
    case note(String)
  }

  /// The name of the row, for tests.
  let name: String

  /// Looks at what is known when every choice is made, and returns what is wrong.
  let check: @Sendable (RunPlanResolver) -> Finding?

  init(_ name: String, _ check: @escaping @Sendable (RunPlanResolver) -> Finding?) {
    self.name = name
    self.check = check
  }
}

extension RunPlanConflict.Finding {
  static func problem(_ parameter: String, _ message: String, _ suggestion: String) -> Self {
    .problem(ConfigurationError.Problem(parameter, message, suggestion: suggestion))
  }
}

extension RunPlanResolver {
  /// Applies the whole conflict table.
  mutating func checkConflicts() {
    for rule in RunPlanConflict.table {
      switch rule.check(self) {
      case .problem(let problem)?: problems.append(problem)
      case .warning(let text)?: warnings.append(text)
      case .note(let text)?: notes.append(text)
      case nil: break
      }
    }
  }
}
