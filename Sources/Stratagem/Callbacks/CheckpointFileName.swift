internal import Glibc

/// A template of file names such as `{epoch:02d}-{val/loss:.2f}`, with Python's formats for numbers.
///
/// With `insertsNames` each field is preceded by its name: `epoch=03-val_loss=0.12`. A `/` of a metric's name becomes `_`,
/// one that stands between the fields is a folder. Metrics that do not exist (yet) count as 0, as in Lightning.
struct CheckpointFileName {
  private enum Part {
    case text(String)
    case field(name: String, format: NumberFormat)
  }

  private let parts: [Part]
  private let insertsNames: Bool

  static let usual = "{epoch}-{step}"

  init(_ template: String, insertsNames: Bool) throws(ConfigurationError) {
    self.insertsNames = insertsNames
    var parts: [Part] = []
    var rest = template[...]
    while let brace = rest.firstIndex(where: { $0 == "{" || $0 == "}" }) {
      if brace > rest.startIndex { parts.append(.text(String(rest[..<brace]))) }
      let inside = rest[rest.index(after: brace)...]
      guard rest[brace] == "{", let end = inside.firstIndex(of: "}"), !inside[..<end].contains("{") else {
        throw Self.error(template, "has a brace without its counterpart")
      }
      parts.append(try Self.field(inside[..<end], of: template))
      rest = inside[inside.index(after: end)...]
    }
    if !rest.isEmpty { parts.append(.text(String(rest))) }
    guard !parts.isEmpty else { throw Self.error(template, "is empty") }
    self.parts = parts
  }

  private static func field(_ text: Substring, of template: String) throws(ConfigurationError) -> Part {
    let pieces = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false)
    guard let format = NumberFormat(pieces.count == 2 ? pieces[1] : "") else {
      throw error(template, "has the format '\(pieces[1])', which is none for a number")
    }
    guard !pieces[0].isEmpty else { throw error(template, "has a field without a name") }
    return .field(name: String(pieces[0]), format: format)
  }

  private static func error(_ template: String, _ problem: String) -> ConfigurationError {
    ConfigurationError(
      "fileName", "the file name '\(template)' of a ModelCheckpoint \(problem)",
      suggestion: "write it like '{epoch:02d}-{val/loss:.2f}'")
  }

  /// The name, without an extension.
  func text(epoch: Int, step: Int, metrics: [String: Double]) -> String {
    parts.map { part in
      switch part {
      case .text(let text): return text
      case .field(let name, let format):
        let value =
          switch name {
          case "epoch": format.text(epoch)
          case "step": format.text(step)
          default: format.text(metrics[name] ?? 0)
          }
        let label = String(name.map { $0 == "/" ? "_" : $0 })
        return insertsNames ? "\(label)=\(value)" : value
      }
    }.joined()
  }
}
