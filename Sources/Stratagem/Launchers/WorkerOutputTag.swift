import CProcess
import Glibc

/// The tag before a worker's line.
package enum WorkerOutputTag {
  /// Prints a line behind its tag on the stream of the same kind.
  package static let write: @Sendable (WorkerOutputLine) -> Void = { line in
    let stream: Int32 = line.stream == .error ? 2 : 1
    let tag = text(rank: line.rank, colored: line.stream == .error ? colorsErrors : colorsOutput)
    cp_write_line(stream, tag, tag.utf8.count, line.bytes, line.bytes.count)
  }

  static func text(rank: Int, colored: Bool) -> String {
    guard colored else { return "[rank \(rank)] " }
    let colors = [36, 33, 35, 32, 34, 31]
    return "\u{1B}[\(colors[(rank + colors.count - 1) % colors.count])m[rank \(rank)]\u{1B}[0m "
  }

  private static let colorsOutput = isColorTerminal(1)
  private static let colorsErrors = isColorTerminal(2)

  private static func isColorTerminal(_ descriptor: Int32) -> Bool {
    guard isatty(descriptor) == 1, getenv("NO_COLOR") == nil else { return false }
    return getenv("TERM").map { String(cString: $0) != "dumb" } ?? false
  }
}
