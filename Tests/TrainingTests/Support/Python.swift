import Foundation
import Testing

/// Python with PyTorch, for tests that check what it makes of our files.
enum Python {
  /// What `check_checkpoint.py` prints.
  struct Report: Decodable {
    let keys: [String]
    let epoch: Int
    let globalStep: Int
    let optimizer: String
    let learningRate: Double
    let optimizerState: [String: [String]]
    let weights: [String: ReferenceRun.Summary]
    let loss: Double
    let lossAfterStep: Double

    enum CodingKeys: String, CodingKey {
      case keys, epoch, optimizer, weights, loss
      case globalStep = "global_step"
      case learningRate = "learning_rate"
      case optimizerState = "optimizer_state"
      case lossAfterStep = "loss_after_step"
    }
  }

  static func checkCheckpoint(_ path: String) throws -> Report {
    let process = Process()
    process.executableURL = URL(filePath: try #require(Repository.python))
    process.arguments = ["-B", "\(Repository.root)/Tests/Reference/check_checkpoint.py", path]
    let output = Pipe()
    process.standardOutput = output
    try process.run()
    let data = output.fileHandleForReading.readDataToEndOfFile()
    process.waitUntilExit()
    try #require(process.terminationStatus == 0)
    return try JSONDecoder().decode(Report.self, from: data)
  }
}
