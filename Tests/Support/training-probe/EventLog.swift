import Glibc

/// A file of lines per rank.
final class EventLog {
  private let folder: String
  var rank = 0

  init(_ folder: String) { self.folder = folder }

  func note(_ line: String) {
    let file = open("\(folder)/events.\(rank)", O_CREAT | O_WRONLY | O_APPEND, 0o600)
    let text = line + "\n"
    _ = write(file, text, text.utf8.count)
    close(file)
  }
}
