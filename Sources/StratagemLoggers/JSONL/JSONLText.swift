internal import Stratagem

/// The lines of a `JSONLLogger`.
enum JSONLText {
  static let newline = UInt8(ascii: "\n")
  static let reserved: Set<String> = ["epoch", "step", "time"]

  /// Appends the beginning of a line, without the end of the object.
  static func appendHead(epoch: Int, step: Int, time: Double, to bytes: inout [UInt8]) {
    append("{\"epoch\": ", to: &bytes)
    append(epoch.description, to: &bytes)
    append(", \"step\": ", to: &bytes)
    append(step.description, to: &bytes)
    append(", \"time\": ", to: &bytes)
    // Microseconds.
    append(((time * 1e6).rounded() / 1e6).description, to: &bytes)
  }

  /// Appends a member; `key` is in quotes.
  static func append(_ key: [UInt8], _ value: MetricNumber, to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: ","))
    bytes.append(UInt8(ascii: " "))
    bytes.append(contentsOf: key)
    append(": ", to: &bytes)
    append(value.isFinite ? value.description : "null", to: &bytes)
  }

  static func append(_ text: String, to bytes: inout [UInt8]) { bytes.append(contentsOf: text.utf8) }

  static func appendEnd(to bytes: inout [UInt8]) {
    bytes.append(UInt8(ascii: "}"))
    bytes.append(newline)
  }

  /// The step of a line; nil when it was not written by `appendHead`.
  static func step(of line: ArraySlice<UInt8>) -> Int? {
    let head = String(decoding: line.prefix(100), as: UTF8.self).split(separator: ", ", maxSplits: 3)
    guard head.count >= 3, head[0].hasPrefix("{\"epoch\": "), head[2].hasPrefix("\"time\": ") else { return nil }
    let label = "\"step\": "
    return head[1].hasPrefix(label) ? Int(head[1].dropFirst(label.count)) : nil
  }

  /// The length of the whole lines at the beginning of some bytes.
  static func wholeLength(_ bytes: ArraySlice<UInt8>) -> Int {
    bytes.lastIndex(of: newline).map { $0 - bytes.startIndex + 1 } ?? 0
  }
}
