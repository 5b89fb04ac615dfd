import Foundation
import Testing

/// A run of the probe's model with blocks, on the same samples a step whatever the number of ranks.
struct ShardedRun: Sendable {
  let probe: ProbeRun

  init(_ ranks: Int, _ options: [String], folder: TemporaryFolder? = nil) throws {
    probe = try ProbeRun("sharded", ranks, options: options, folder: folder)
  }

  /// The losses of the steps.
  var losses: [Double] { get throws { try probe.succeeded().metrics.values("train/loss") } }

  /// The last checkpoint.
  var checkpoint: CheckpointFile { get throws { try CheckpointFile("\(probe.folder.path)/checkpoints/last.ckpt") } }

  /// Expects the losses and the final weights of another run.
  func expectEqual(_ other: ShardedRun, within tolerance: Double, _ what: String) throws {
    let (found, expected) = (try losses, try other.losses)
    try #require(found.count == expected.count && !found.isEmpty, "\(what)")
    for (step, pair) in zip(found, expected).enumerated() {
      expectClose(pair.0, pair.1, within: tolerance, "\(what): loss of row \(step)")
    }
    let difference = try largestDifference(checkpoint, other.checkpoint)
    #expect(difference <= tolerance * 10, "\(what): weights")
  }
}
