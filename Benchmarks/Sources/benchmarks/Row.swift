/// A line of the table: what was measured, what it was held against, and the target.
struct Row: Encodable {
  let name: String
  let measured: Double
  let reference: Double?
  let unit: String
  /// What the target speaks of: a ratio, a difference or a time.
  let value: Double
  let target: Target
  /// The values of the single rounds whose median `value` is.
  let rounds: [Double]

  struct Target: Encodable {
    let comparison: String
    let limit: Double
    let unit: String

    func isMet(by value: Double) -> Bool { comparison == "<=" ? value <= limit : value >= limit }

    /// A value to know, with nothing to reach.
    static func none(_ unit: String) -> Target { Target(comparison: "", limit: -.greatestFiniteMagnitude, unit: unit) }

    static func atMost(_ limit: Double, _ unit: String) -> Target { Target(comparison: "<=", limit: limit, unit: unit) }
    static func atLeast(_ limit: Double, _ unit: String) -> Target {
      Target(comparison: ">=", limit: limit, unit: unit)
    }
  }

  var isMet: Bool { target.isMet(by: value) }
}
