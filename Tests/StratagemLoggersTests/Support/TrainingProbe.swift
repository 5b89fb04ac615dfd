import Foundation

/// A run of `training-probe` in a folder of its own.
struct TrainingProbe {
  let folder: LoggersFolder
  let status: Int
  let errors: String

  /// - Parameters:
  ///   - options: see the probe's `ProbeOptions`.
  ///   - limit: the largest file that the run may write, in blocks of 1024 bytes.
  init(_ ranks: Int, _ options: String..., folder: LoggersFolder? = nil, limit: Int? = nil) throws {
    let folder = try folder ?? LoggersFolder()
    self.folder = folder
    let tests = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    let products = URL(filePath: tests).deletingLastPathComponent().path
    let command = (["\(products)/training-probe", "fit", "\(ranks)", folder.path] + options)
      .map { "'\($0)'" }.joined(separator: " ")
    let process = Process()
    process.executableURL = URL(filePath: "/bin/bash")
    process.arguments = ["-c", (limit.map { "ulimit -f \($0); " } ?? "") + "exec \(command)"]
    let errors = Pipe()
    process.standardInput = FileHandle.nullDevice
    process.standardOutput = FileHandle.nullDevice
    process.standardError = errors
    try process.run()
    self.errors = String(decoding: errors.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
    process.waitUntilExit()
    status = Int(process.terminationStatus)
  }
}
