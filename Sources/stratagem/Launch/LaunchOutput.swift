internal import Glibc
internal import Stratagem

/// Where the lines of the processes go.
final class LaunchOutput: Sendable {
  private struct Key: Hashable {
    let rank: Int
    let stream: WorkerOutputLine.Stream
  }

  private let files: [Key: Int32]
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
    var files: [Key: Int32] = [:]
    for identity in plan.identities {
      for (stream, name) in [(WorkerOutputLine.Stream.output, "stdout"), (.error, "stderr")] {
        let path = "\(folder)/rank\(identity.globalRank).\(name).log"
        let descriptor = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o666)
        guard descriptor >= 0 else { throw problem(path) }
        files[Key(rank: identity.globalRank, stream: stream)] = descriptor
      }
    }
    self.files = files
  }

  deinit { for descriptor in files.values { close(descriptor) } }

  /// Receives the lines; nil when they go to this process's own output only.
  var handler: (@Sendable (WorkerOutputLine) -> Void)? {
    if files.isEmpty { return nil }
    return { [self] line in
      if let descriptor = files[Key(rank: line.rank, stream: line.stream)] {
        let bytes = line.bytes + [UInt8(ascii: "\n")]
        _ = write(descriptor, bytes, bytes.count)
      }
      if redirects & (line.stream == .output ? 1 : 2) == 0 { WorkerOutputTag.write(line) }
    }
  }
}
