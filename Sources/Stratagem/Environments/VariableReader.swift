/// Reads environment variables and remembers what is wrong with them, so that all of it can be said at once.
struct VariableReader {
  /// The numbers that a rank or size may be.
  static let whole = 0...Int(Int32.max)
  static let positive = 1...Int(Int32.max)
  static let ports = 1...65535

  let variables: [String: String]
  private(set) var problems: [ConfigurationError.Problem] = []

  init(_ variables: [String: String]) { self.variables = variables }

  /// Returns the text of a variable, or `nil` when it is not set or empty.
  func text(_ name: String) -> String? { variables[name].flatMap { $0.isEmpty ? nil : $0 } }

  /// Returns the whole number that a variable holds, or `nil` when it is not set or empty.
  mutating func integer(_ name: String, in range: ClosedRange<Int> = whole) -> Int? {
    guard let text = text(name) else { return nil }
    if let value = Int(text), range.contains(value) { return value }
    let wanted = range.upperBound == Int(Int32.max) ? "of \(range.lowerBound) or more" : "in \(range)"
    problems.append(
      .init(
        name, "environment variable \(name) is '\(text)', which is not a whole number \(wanted)",
        suggestion: "unset it, or start the program with a launcher that sets it"))
    return nil
  }

  /// Reports the variables that are not set.
  ///
  /// - Parameters:
  ///   - names: the variables that have to be set.
  ///   - situation: why, as the beginning of a sentence: "this is a process of torchrun".
  ///   - suggestion: what to do.
  mutating func require(_ names: [String], because situation: String, suggestion: String) {
    let missing = names.filter { text($0) == nil }
    guard let first = missing.first else { return }
    problems.append(
      .init(
        first,
        "\(situation), but \(missing.joined(separator: ", ")) \(missing.count == 1 ? "is" : "are") not set",
        suggestion: suggestion))
  }

  mutating func report(_ parameter: String, _ message: String, _ suggestion: String) {
    problems.append(.init(parameter, message, suggestion: suggestion))
  }

  /// Throws everything that was wrong.
  func check() throws(ConfigurationError) {
    if let error = ConfigurationError(problems) { throw error }
  }
}
