internal import Torch

/// A sharded checkpoint that the ranks have agreed on, of which this rank has still to write its part.
struct ShardedCheckpointPlan {
  /// Where rank 0 says the new version is.
  struct Place: Codable {
    /// The folder of the checkpoint; another one than its path while a file is in the way.
    let root: String
    let version: String
    var folder: String { "\(root)/\(version)" }
  }

  let path: String
  let place: Place
  let assignment: ShardAssignment
  /// What this rank writes; a failure is for the other ranks to hear of, too.
  var items: Result<[ShardWriter.Item], any Error>
  /// Everything but the tensors of module and optimizers, on rank 0.
  var common: ArchiveDictionary
  /// Other keys of tensors.
  let aliases: [String: String]
  /// State of optimizers that is no tensor.
  let values: [ShardManifest.Value]

  /// The same for another path.
  func moved(to place: Place, _ path: String) -> ShardedCheckpointPlan {
    ShardedCheckpointPlan(
      path: path, place: place, assignment: assignment, items: items, common: common, aliases: aliases, values: values)
  }

  /// Puts copies in the place of what is in memory, so that training can go on while the copies are written. Only what this
  /// rank writes is copied.
  ///
  /// - Parameter memory: that of an earlier copy, which is overwritten.
  /// - Returns: the memory of this one.
  mutating func copyTensors(reusing memory: [Tensor]) -> [Tensor] {
    let own = (try? items.get()) ?? []
    let views = own.map { item in item.piece.tensor(of: item.range) }
    let contents: ArchiveDictionary = [
      "common": .dictionary(common), "views": .list(views.map { $0.map { .tensor($0) } ?? .none }),
    ]
    let (copy, memory) = CheckpointSnapshot.copy(Checkpoint(contents), reusing: memory)
    common = copy["common"]?.dictionaryValue ?? common
    let copies = copy["views"]?.listValue ?? []
    items = items.map { _ in
      zip(own, copies).map { item, copy in
        guard let tensor = copy.tensorValue else { return item }
        return ShardWriter.Item(
          key: item.key, shape: item.shape, range: item.range,
          piece: TensorPiece(shape: item.shape, range: item.range, tensor: tensor, isPrimary: true))
      }
    }
    return memory
  }
}
