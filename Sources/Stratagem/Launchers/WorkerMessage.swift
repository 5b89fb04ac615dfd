import CProcess

/// What the launcher itself says to the user.
enum WorkerMessage {
  /// Prints a line on standard error.
  static func print(_ text: String) {
    let bytes = Array(text.utf8)
    let prefix = "Stratagem: "
    cp_write_line(2, prefix, prefix.utf8.count, bytes, bytes.count)
  }
}
