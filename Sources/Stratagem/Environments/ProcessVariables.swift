import CProcess

/// The environment variables of this process.
enum ProcessVariables {
  /// A snapshot of all variables.
  static var current: [String: String] {
    var variables: [String: String] = [:]
    guard var entry = cp_environment() else { return variables }
    while let text = entry.pointee {
      let line = String(cString: text)
      if let separator = line.firstIndex(of: "=") {
        variables[String(line[..<separator])] = String(line[line.index(after: separator)...])
      }
      entry += 1
    }
    return variables
  }

  /// Returns the integer that a variable holds, or `nil` when it is not set or empty.
  ///
  /// - Throws: `ClusterEnvironmentError` when the text is not an integer of `range`.
  static func integer(
    _ name: String, in environment: [String: String], range: ClosedRange<Int> = 0...Int(Int32.max)
  ) throws(ClusterEnvironmentError) -> Int? {
    guard let text = environment[name], !text.isEmpty else { return nil }
    guard let value = Int(text), range.contains(value) else {
      let wanted = range.upperBound == Int(Int32.max) ? "\(range.lowerBound) or more" : "\(range)"
      throw ClusterEnvironmentError(
        "the environment variable \(name) is \"\(text)\"; it must be a whole number, \(wanted)")
    }
    return value
  }
}
