import Foundation

/// Paths in the checkout, and of the programs that were built with the tests.
enum Repository {
  static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
    .deletingLastPathComponent().deletingLastPathComponent().path

  static func reference(_ name: String) -> String { "\(root)/Tests/Reference/Data/\(name)" }

  /// The executable `name` next to the tests.
  static func program(_ name: String) throws -> String {
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    return URL(filePath: tests).deletingLastPathComponent().appending(path: name).path
  }

  /// Python with PyTorch, when `Scripts/python-env` has made its environment.
  static let python: String? = {
    let environment = ProcessInfo.processInfo.environment
    let cache = environment["STRATAGEM_CACHE"] ?? (environment["HOME"] ?? "") + "/.cache/stratagem"
    let path = "\(cache)/python/bin/python"
    return FileManager.default.isExecutableFile(atPath: path) ? path : nil
  }()
}
