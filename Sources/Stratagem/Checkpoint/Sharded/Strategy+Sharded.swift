internal import Torch

/// Checkpoints that are folders.
extension Strategy {
  /// Writes a checkpoint of which every rank writes its part.
  ///
  /// - Parameter alone: this rank holds everything and writes it without the others.
  final func saveSharded(
    _ checkpoint: Checkpoint, to paths: [String], options: [String: String], alone: Bool = false
  ) throws {
    // A worker that repeats what the main process does leaves it to that.
    guard let first = paths.first, worldSize > 1 || isGlobalZero else { return }
    if let checkpointIO, !(checkpointIO is FileCheckpointIO) {
      throw CheckpointError(
        path: first,
        reason:
          "\(type(of: checkpointIO)) writes what rank 0 holds, but stateDictType: .sharded lets all ranks write; leave "
          + "one of them out")
    }
    guard options.isEmpty else {
      throw CheckpointError(
        path: first,
        reason: "a sharded checkpoint has no options, but \(options.keys.sorted().joined(separator: ", ")) was given; "
          + "leave it out")
    }
    let ranks: any RankExchange = alone ? SingleRank() : self
    let writer = ShardedCheckpointWriter(ranks: ranks, strategy: strategyDescription.name)
    try writer.save(checkpoint, to: first)
    for path in paths.dropFirst() {
      let isLinked = try ranks.together(path) { ranks.rank == 0 && link(first, to: path) }
      if !isLinked[0] { try writer.save(checkpoint, to: path) }
    }
  }

  /// Gives a checkpoint a second place without writing it again; false where that cannot be done.
  private func link(_ path: String, to other: String) -> Bool {
    let (source, target) = (ShardedFolder(path), ShardedFolder(other))
    guard let version = source.latest, source.path != target.path, !Folder.exists(target.path) || target.isOwn else {
      return false
    }
    return (try? source.link(version, into: target)) != nil
  }

  /// Opens a checkpoint whose tensors stay in the files; nil for a single file that is to be read as a whole.
  final func openInParts(_ path: String, weightsOnly: Bool) throws -> Checkpoint? {
    let isCustom = checkpointIO.map { !($0 is FileCheckpointIO) && !($0 is AsyncCheckpointIO) } ?? false
    if isCustom, !ShardedFolder.isFolder(path) { return nil }
    let location = try CheckpointLocation.find(path)
    guard location.isFolder || readsCheckpointsInParts else { return nil }
    var checkpoint = try Checkpoint.open(location, path)
    if weightsOnly {
      checkpoint["optimizer_states"] = nil
      checkpoint["lr_schedulers"] = nil
    }
    return checkpoint
  }
}
