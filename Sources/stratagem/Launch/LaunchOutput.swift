internal import Glibc
internal import Stratagem
internal import Synchronization
internal import Torch

/// Where the lines of the processes go.
final class LaunchOutput: Sendable {
  private struct Key: Hashable {
    let rank: Int
    let stream: WorkerOutputLine.Stream
  }

  private struct Log {
    let path: String
    let descriptor: Int32
  }

  private let files: [Key: Log]
  private let failure = Mutex<FileError?>(nil)
  private let redirects: Int

  /// - Throws: `ConfigurationError` when a log file cannot be made.
  init(_ plan: LaunchPlan) throws {
    redirects = plan.redirects
    guard let folder = plan.logFolder else {
      files = [:]
      return
    }
    func problem(_ path: String) -> ConfigurationError {
      ConfigurationError(
        "--log-dir", "\(path) cannot be made: \(String(cString: strerror(errno)))", suggestion: "name another --log-dir"
      )
    }
    if mkdir(folder, 0o777) != 0, errno != EEXIST { throw problem(folder) }
    var files: [Key: Log] = [:]
    for identity in plan.identities {
      for (stream, name) in [(WorkerOutputLine.Stream.output, "stdout"), (.error, "stderr")] {
        let path = "\(folder)/rank\(identity.globalRank).\(name).log"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw problem(path) }
        files[Key(rank: identity.globalRank, stream: stream)] = Log(path: path, descriptor: descriptor)
      }
    }
    self.files = files
  }

  deinit { for file in files.values { close(file.descriptor) } }

  /// Throws when a file could not take everything.
  func check() throws {
    if let failure = failure.withLock({ $0 }) { throw failure }
  }

  /// Receives the lines; nil when they go to this process's own output only.
  var handler: (@Sendable (WorkerOutputLine) -> Void)? {
    if files.isEmpty { return nil }
    return { [self] line in
      if let file = files[Key(rank: line.rank, stream: line.stream)] { write(line, to: file) }
      if redirects & (line.stream == .output ? 1 : 2) == 0 { WorkerOutputTag.write(line) }
    }
  }

  private func write(_ line: WorkerOutputLine, to log: Log) {
    let code = (line.bytes + [UInt8(ascii: "\n")]).withUnsafeBytes { LogFile.write($0, to: log.descriptor).code }
    if code != 0 { failure.withLock { $0 = $0 ?? FileError(path: log.path, writing: code) } }
  }
}
