/// What one run of this program measures, and how; see `main.swift`.
struct Options {
  let command: String
  private var values: [String: String] = [:]

  init(_ arguments: [String]) throws(UsageError) {
    guard let command = arguments.first else { throw UsageError("no command") }
    self.command = command
    var rest = arguments.dropFirst()
    while let name = rest.popFirst() {
      guard name.hasPrefix("--"), let value = rest.popFirst() else {
        throw UsageError("'\(name)' is no option with a value")
      }
      values[String(name.dropFirst(2))] = value
    }
  }

  /// The folder of `digits.csv` or `digits.csv.gz`.
  func data() throws(UsageError) -> String {
    guard let folder = values["data"] else { throw UsageError("--data FOLDER is missing") }
    return folder
  }

  func text(_ name: String, _ standard: String) -> String { values[name] ?? standard }

  func count(_ name: String, _ standard: Int) throws(UsageError) -> Int {
    guard let text = values[name] else { return standard }
    guard let count = Int(text), count > 0 else { throw UsageError("--\(name) is '\(text)'; give a positive number") }
    return count
  }
}

struct UsageError: Error, CustomStringConvertible {
  let description: String

  init(_ problem: String) {
    description = problem
  }
}
