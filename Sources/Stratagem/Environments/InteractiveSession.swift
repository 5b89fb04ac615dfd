/// A program whose code is typed in while it runs: Swift's REPL, which notebook kernels use too.
///
/// Running its executable again would not run the code again.
enum InteractiveSession {
  /// Whether this process is one.
  static var isCurrent: Bool { isOne(program: WorkerProcess.program) }

  /// Whether the executable at a path is that of the REPL.
  static func isOne(program: String) -> Bool { program.split(separator: "/").last == "repl_swift" }
}
