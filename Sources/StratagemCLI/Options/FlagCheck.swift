internal import ArgumentParser

/// Collects what is wrong with the numbers on a command line, so that all of it is said at once.
struct FlagCheck {
  private var problems: [String] = []

  mutating func require(_ flag: String, _ value: Int?, atLeast least: Int) {
    guard let value, value < least else { return }
    problems.append("\(flag) is \(value); give a whole number of \(least) or more")
  }

  mutating func require(_ flag: String, _ value: Double?, positive: Bool = false) {
    guard let value, !(value.isFinite && (positive ? value > 0 : value >= 0)) else { return }
    problems.append("\(flag) is \(value); give a number \(positive ? "above 0" : "of 0 or more")")
  }

  func finish() throws {
    if !problems.isEmpty { throw ValidationError(problems.joined(separator: "\n")) }
  }
}
