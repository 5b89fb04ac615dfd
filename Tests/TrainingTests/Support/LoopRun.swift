import Foundation
import Testing
import Torch

/// A run of one of the probe's scenarios of loops, which note what happens.
struct LoopRun: Sendable {
  let probe: ProbeRun

  init(_ scenario: String, _ devices: Int = 1, _ options: String..., folder: TemporaryFolder? = nil) throws {
    try self.init(scenario, devices, options: options, folder: folder)
  }

  init(_ scenario: String, _ devices: Int = 1, options: [String], folder: TemporaryFolder? = nil) throws {
    probe = try ProbeRun(scenario, devices, options: options + ["loops"], folder: folder)
  }

  var path: String { probe.folder.path }

  @discardableResult
  func succeeded() throws -> LoopRun {
    try probe.succeeded()
    return self
  }

  /// What a rank noted.
  func events(_ rank: Int = 0) -> [String] {
    probe.folder.text("events.\(rank)").split(separator: "\n").map(String.init)
  }

  /// What a rank noted in lines that begin so.
  func events(_ rank: Int = 0, _ prefix: String) -> [String] { events(rank).filter { $0.hasPrefix(prefix) } }

  /// The numbers of the samples of each batch of a rank.
  func samples(_ rank: Int = 0) throws -> [[Int]] {
    try events(rank, "samples ").map { line in
      try JSONDecoder().decode([Int].self, from: Data(line.dropFirst("samples ".count).utf8))
    }
  }

  /// The error at the end of the run.
  var failure: String { probe.failure }
}
