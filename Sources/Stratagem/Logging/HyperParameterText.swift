/// Scalars of `hparams.yaml`.
enum HyperParameterText {
  /// Returns the text as a YAML scalar: plain when that is safe, in double quotes otherwise.
  static func scalar(_ text: String) -> String {
    let first = text.utf8.first ?? 0
    let isPlain =
      text.utf8.allSatisfy { isLetterOrDigit($0) || "_.-/+".utf8.contains($0) }
      && (isLetterOrDigit(first)
        || ((first == UInt8(ascii: "-") || first == UInt8(ascii: ".")) && text.utf8.count > 1
          && Double(text) != nil))
    return isPlain ? text : JSONLine.quoted(text)
  }

  private static func isLetterOrDigit(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"):
      true
    default: false
    }
  }
}
