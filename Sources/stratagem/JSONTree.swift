internal import Stratagem

/// A value of JSON, for the output of `--json`.
indirect enum JSONTree {
  case scalar(JSONScalar)
  case list([JSONTree])
  /// Members in their order.
  case object([(String, JSONTree)])

  static func text(_ text: String?) -> JSONTree { .scalar(text.map { .string($0) } ?? .null) }
  static func number(_ number: Int?) -> JSONTree { .scalar(number.map { .int($0) } ?? .null) }
  static func number(_ number: Double?) -> JSONTree { .scalar(number.map { .double($0) } ?? .null) }
  static func flag(_ flag: Bool) -> JSONTree { .scalar(.bool(flag)) }

  /// The value, indented; small lists stay on one line.
  func text(indentation: String = "") -> String {
    let inner = indentation + "  "
    switch self {
    case .scalar(let scalar): return JSONLine.text(scalar)
    case .list(let elements):
      let isFlat = elements.allSatisfy { if case .scalar = $0 { true } else { false } }
      if isFlat { return "[" + elements.map { $0.text() }.joined(separator: ", ") + "]" }
      return "[\n" + elements.map { inner + $0.text(indentation: inner) }.joined(separator: ",\n") + "\n\(indentation)]"
    case .object(let members):
      if members.isEmpty { return "{}" }
      let lines = members.map { "\(inner)\(JSONLine.text(.string($0.0))): \($0.1.text(indentation: inner))" }
      return "{\n" + lines.joined(separator: ",\n") + "\n\(indentation)}"
    }
  }
}
