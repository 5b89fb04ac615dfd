internal import Glibc
internal import Stratagem

/// The files of `--config`, read once for all processes of a run on this machine.
enum ConfigurationFiles {
  /// What the first process has read, for the processes that it starts.
  private static let variable = "STRATAGEM_CONFIGURATION"
  /// The longest text that is handed on; the kernel takes 128 KiB for a variable.
  private static let limit = 100_000

  /// Reads the files in order.
  ///
  /// A process that Stratagem started gets what the process that started it has read, so that all ranks see the same
  /// even when a file changes meanwhile or can be read only once, as `<(generate)` in a shell.
  ///
  /// - Throws: `ConfigurationError` with the problems of all files.
  static func read(_ paths: [String]) throws -> [ConfigNode] {
    guard !paths.isEmpty else { return [] }
    let environment = ClusterEnvironments.processVariables
    if WorkerProcess.isWorker, let text = environment[variable] {
      return [try ConfigFile.parse(text) { .file("--config", line: $0) }]
    }
    var nodes: [ConfigNode] = []
    var problems: [ConfigurationError.Problem] = []
    for path in paths {
      do throws(ConfigurationError) { nodes.append(try ConfigFile.read(path)) } catch { problems += error.problems }
    }
    if let error = ConfigurationError(problems) { throw error }
    return nodes
  }

  /// Hands what was read on to the processes that this one starts.
  static func share(_ root: ConfigNode) {
    let text = root.description
    if !WorkerProcess.isWorker, text.utf8.count < limit { setenv(variable, text, 1) }
  }
}
