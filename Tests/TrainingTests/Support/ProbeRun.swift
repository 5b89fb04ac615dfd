import Foundation
import Testing

/// A run of `training-probe` with a folder of its own.
struct ProbeRun: Sendable {
  let folder: TemporaryFolder
  let run: ProgramRun

  /// - Parameters:
  ///   - options: such as `epochs=2`; see the probe's `ProbeOptions`.
  ///   - folder: the folder of an earlier run to go on in; a new one when left out.
  init(
    _ scenario: String, _ devices: Int, _ options: String..., folder: TemporaryFolder? = nil, shell: String? = nil,
    act: (StartedProgram, TemporaryFolder) throws -> Void = { _, _ in }
  ) throws {
    try self.init(scenario, devices, options: options, folder: folder, shell: shell, act: act)
  }

  init(
    _ scenario: String, _ devices: Int, options: [String], folder: TemporaryFolder? = nil, shell: String? = nil,
    act: (StartedProgram, TemporaryFolder) throws -> Void = { _, _ in }
  ) throws {
    let folder = try folder ?? TemporaryFolder()
    self.folder = folder
    run = try ProgramRun(
      "training-probe", [scenario, "\(devices)", folder.path] + options, shell: shell
    ) { try act($0, folder) }
  }

  var status: Int { run.status }
  var failure: String { run.failure }
  var metrics: MetricsFile { get throws { try MetricsFile("\(folder.path)/metrics.csv") } }

  /// The sums over the bits of the weights that each rank printed.
  var weightSums: [String] {
    run.outputLines.filter { $0.contains("weights of rank") }.map { String($0.drop { $0 != ":" }) }
  }

  @discardableResult
  func succeeded() throws -> ProbeRun {
    try run.succeeded()
    return self
  }
}
