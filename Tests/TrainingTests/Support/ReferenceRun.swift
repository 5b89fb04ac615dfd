import Foundation
import Testing

/// A run of PyTorch's, from one of the files in `Tests/Reference/Data`.
struct ReferenceRun: Decodable, Sendable {
  struct Validation: Decodable, Sendable {
    let epoch: Int
    let loss: Double
    let accuracy: Double
    let correct: Int
  }

  struct Summary: Decodable, Sendable {
    let l2: Double
    let first: [Double]
  }

  struct File: Decodable, Sendable {
    let relativeTolerance: Double
    let relativeToleranceAfterFirstEpoch: Double?
    let runs: [String: ReferenceRun]

    /// Reads `name.json`.
    init(_ name: String) throws {
      let data = try Data(contentsOf: URL(filePath: Repository.reference("\(name).json")))
      self = try JSONDecoder().decode(File.self, from: data)
    }

    enum CodingKeys: String, CodingKey {
      case runs
      case relativeTolerance = "relative_tolerance"
      case relativeToleranceAfterFirstEpoch = "relative_tolerance_after_first_epoch"
    }
  }

  let optimizer: String
  let learningRate: Double
  let momentum: Double?
  let batchSize: Int
  let ranks: Int
  let epochs: Int
  let maxSteps: Int?
  let accumulate: Int
  let clipNorm: Double?
  let clipValue: Double?
  let schedule: String?
  let shuffle: Bool
  let precision: String
  let relativeTolerance: Double
  let losses: [Double]
  let optimizerSteps: Int
  let validation: [Validation]
  let finalWeights: [String: Summary]
  let buffers: [[String: Summary]]?

  enum CodingKeys: String, CodingKey {
    case optimizer, momentum, ranks, epochs, accumulate, schedule, shuffle, precision, losses, validation, buffers
    case learningRate = "learning_rate"
    case batchSize = "batch_size"
    case maxSteps = "max_steps"
    case clipNorm = "clip_norm"
    case clipValue = "clip_value"
    case relativeTolerance = "relative_tolerance"
    case optimizerSteps = "optimizer_steps"
    case finalWeights = "final_weights"
  }

  /// The flags by which a program of ours does the same.
  func flags(weights: String, output: String) -> [String] {
    var flags = ["fit", "--weights", weights, "--output", output, "--progress", "silent", "--json"]
    flags += ["--optimizer", optimizer, "--lr", "\(learningRate)", "--batch-size", "\(batchSize)"]
    flags += ["--strategy", ranks == 1 ? "single_device" : "ddp", "--devices", "\(ranks)", "--precision", precision]
    flags += ["--accumulate", "\(accumulate)"]
    if let maxSteps { flags += ["--max-steps", "\(maxSteps)"] } else { flags += ["--epochs", "\(epochs)"] }
    if let momentum { flags += ["--momentum", "\(momentum)"] }
    if let clipNorm { flags += ["--clip-norm", "\(clipNorm)"] }
    if let clipValue { flags += ["--clip-value", "\(clipValue)"] }
    if let schedule { flags += ["--schedule", schedule] }
    if !shuffle { flags.append("--no-shuffle") }
    return flags
  }
}

/// Compares numbers relative to the size of the expected one.
func expectClose(
  _ found: Double, _ expected: Double, within tolerance: Double, _ what: @autoclosure () -> String = "",
  sourceLocation: SourceLocation = #_sourceLocation
) {
  let distance = abs(found - expected) / abs(expected)
  #expect(
    distance <= tolerance, "\(what()): \(found) instead of \(expected), \(distance) away",
    sourceLocation: sourceLocation)
}
