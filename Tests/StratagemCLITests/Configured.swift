import ArgumentParser
import Foundation
import Stratagem
import Testing

@testable import StratagemCLI

/// The configuration of a program as files and a command line make it, without a process.
enum Configured {
  /// Reads texts as files named `a.yaml`, `b.yaml` and so on, and arguments as those of `fit`.
  static func load<Program: TrainingCommand>(
    _ program: Program.Type, files: [String] = [], _ arguments: [String] = []
  ) throws -> LoadedConfiguration<Program> {
    let nodes = try zip(["a.yaml", "b.yaml", "c.yaml"], files).map { name, text in
      try ConfigFile.parse(text) { .file(name, line: $0) }
    }
    return try LoadedConfiguration(files: nodes, settings: try settings(program, arguments))
  }

  /// The settings that arguments of `fit` make, in their order.
  static func settings<Program: TrainingCommand>(
    _ program: Program.Type, _ arguments: [String]
  ) throws -> [CommandLineSetting] {
    let fit = try FitCommand<Program>.parse(arguments)
    return try fit.options.settings(with: fit.training.settings, as: arguments)
  }

  /// What is wrong, as it is said.
  static func problems<Program: TrainingCommand>(
    _ program: Program.Type, files: [String] = [], _ arguments: [String] = []
  ) -> [String] {
    do {
      _ = try load(program, files: files, arguments)
      return []
    } catch let error as ConfigurationError {
      return error.problems.map(\.description)
    } catch {
      return [FitCommand<Program>.fullMessage(for: error)]
    }
  }
}
