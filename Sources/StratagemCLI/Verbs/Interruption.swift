internal import ArgumentParser
internal import Glibc
internal import Stratagem

/// Gives a run that a signal ended the exit status that shells expect.
enum Interruption {
  /// Runs `body`; after SIGINT the program ends with status 130 (128 and the signal's number), saying why.
  static func reporting(_ body: () throws -> Void) throws {
    do {
      try body()
      try StandardOutput.check()
    } catch let error as TrainingError {
      guard case .interrupted(let signal, _) = error else { throw error }
      let text = Array("Error: \(error)\n".utf8)
      _ = write(STDERR_FILENO, text, text.count)
      throw ExitCode(Int32(128 + signal))
    }
  }
}
