/// What libtorch says, without what is of use to its developers only.
package enum LibtorchMessage {
  /// Leaves out the C++ place that raised the error, lists of everything libtorch knows, and guesses at causes.
  package static func tidied(_ message: String) -> String {
    if message.hasPrefix("Could not run '"), let end = message.firstRange(of: " backend.") {
      return message[..<end.lowerBound] + " backend, which this build of libtorch lacks; use another device"
    }
    var lines = message.split(separator: "\n", omittingEmptySubsequences: false)
    if let cut = lines.firstIndex(where: { $0.hasPrefix("Exception raised from") }) { lines.removeSubrange(cut...) }
    while let last = lines.last, last.allSatisfy(\.isWhitespace) { lines.removeLast() }
    return withoutGlooAdvice(lines.joined(separator: "\n"))
  }

  /// Gloo puts its source line in front and guesses behind.
  private static func withoutGlooAdvice(_ message: String) -> String {
    var text = message[...]
    if text.hasPrefix("[/"), let end = text.firstRange(of: "] ") { text = text[end.upperBound...] }
    if let advice = text.firstRange(of: ". This is typically caused by") { text = text[..<advice.lowerBound] }
    return String(text)
  }
}
