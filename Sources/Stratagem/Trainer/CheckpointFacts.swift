internal import Torch

/// What a rank tells the others of the checkpoint that it begins with.
struct CheckpointFacts: Codable, CustomStringConvertible {
  let path: String
  let epoch: Int?
  let step: Int?

  init(_ checkpoint: Checkpoint, _ path: String?) {
    self.path = path ?? ""
    epoch = checkpoint["epoch"]?.intValue
    step = checkpoint["global_step"]?.intValue
  }

  /// Whether the other one is of the same state; each machine may have it in another place.
  func isSame(as other: CheckpointFacts?) -> Bool {
    guard let other else { return false }
    return (epoch, step) == (other.epoch, other.step)
  }

  var description: String {
    "with '\(path)'" + (step.map { " of step \($0)" } ?? "")
  }
}
