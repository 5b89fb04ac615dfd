/// What the doctor says of one matter.
struct Finding {
  enum Status: String {
    case ok, warning, problem
  }

  let name: String
  let status: Status
  let message: String
  /// What to do; nil when all is well.
  let remedy: String?

  static func ok(_ name: String, _ message: String) -> Finding {
    Finding(name: name, status: .ok, message: message, remedy: nil)
  }

  static func warning(_ name: String, _ message: String, _ remedy: String) -> Finding {
    Finding(name: name, status: .warning, message: message, remedy: remedy)
  }

  static func problem(_ name: String, _ message: String, _ remedy: String) -> Finding {
    Finding(name: name, status: .problem, message: message, remedy: remedy)
  }

  var line: String {
    func padded(_ text: String, _ width: Int) -> String {
      text + String(repeating: " ", count: max(0, width - text.count))
    }
    return "\(padded(status.rawValue, 8)) \(padded(name, 12)) \(message)" + (remedy.map { ": \($0)" } ?? "")
  }

  var json: JSONTree {
    .object([
      ("name", .text(name)), ("status", .text(status.rawValue)), ("message", .text(message)),
      ("remedy", .text(remedy)),
    ])
  }
}
