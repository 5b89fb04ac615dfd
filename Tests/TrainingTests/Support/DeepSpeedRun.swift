import Foundation
import Testing

/// A run of `digits fit` to its end, 48 samples in each batch over all ranks.
struct DeepSpeedRun {
  let folder: TemporaryFolder
  /// `train/loss` of every batch.
  let losses: [Double]
  /// What the run printed as JSON.
  let results: [String: JSONMember]

  /// - Parameter config: the ds_config; none when left out.
  init(
    _ strategy: String, _ ranks: Int, _ flags: [String], config: String? = nil, steps: Int = 100
  ) throws {
    folder = try TemporaryFolder()
    let run = try Self.start(strategy, ranks, flags, config: config, steps: steps, in: folder).succeeded()
    losses = try MetricsFile("\(folder.path)/metrics.csv").values("train/loss")
    results = try run.json()
  }

  /// A run that may fail.
  static func start(
    _ strategy: String, _ ranks: Int, _ flags: [String], config: String? = nil, steps: Int = 100,
    in folder: TemporaryFolder, shell: String? = nil, act: (StartedProgram) throws -> Void = { _ in }
  ) throws -> ProgramRun {
    var environment: [String: String] = [:]
    if let config {
      try Data(config.utf8).write(to: URL(filePath: "\(folder.path)/ds_config.json"))
      environment["PL_DEEPSPEED_CONFIG_PATH"] = "\(folder.path)/ds_config.json"
    }
    return try ProgramRun(
      "digits",
      [
        "fit", "--weights", Repository.reference("w1.safetensors"), "--no-shuffle", "--max-steps", "\(steps)",
        "--batch-size", "\(48 / ranks)", "--devices", "\(ranks)", "--strategy", strategy, "--output", folder.path,
        "--progress", "silent", "--json",
      ] + flags, environment: environment, shell: shell, act: act)
  }

  /// A ds_config that partitions everything, however small.
  static func config(_ stage: Int, _ members: String = "", zero: String = "") -> String {
    #"{"zero_optimization": {"stage": \#(stage), "stage3_param_persistence_threshold": 0, "#
      + #""reduce_bucket_size": 4000\#(zero)}\#(members)}"#
  }

  /// Checks the losses: those of the first epoch within a tenth of the tolerance, which rounding has not yet spread.
  func expectLosses(
    _ expected: [Double], within tolerance: Double, _ what: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    try #require(losses.count == expected.count && !losses.isEmpty, "\(what)", sourceLocation: sourceLocation)
    for (index, (found, expected)) in zip(losses, expected).enumerated() {
      expectClose(
        found, expected, within: index < 31 ? tolerance / 10 : tolerance, "\(what), batch \(index)",
        sourceLocation: sourceLocation)
    }
  }
}
