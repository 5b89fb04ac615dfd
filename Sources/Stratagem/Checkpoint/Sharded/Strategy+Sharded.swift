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
    if let checkpointIO, let other = Self.typeThatWritesAlone(checkpointIO) {
      throw CheckpointError(
        path: first,
        reason:
          "\(other) writes what rank 0 holds, but stateDictType: .sharded lets all ranks write; leave one of them out")
    }
    guard options.isEmpty else {
      throw CheckpointError(
        path: first,
        reason: "a sharded checkpoint has no options, but \(options.keys.sorted().joined(separator: ", ")) was given; "
          + "leave it out")
    }
    let ranks: any RankExchange = alone ? SingleRank() : ranksForSaving
    let asynchronous = checkpointIO as? AsyncCheckpointIO
    if let asynchronous {
      // What is being written has to be in its place first. A failure of it is one of all ranks.
      _ = try ranks.together(first) { () -> Bool in
        try asynchronous.waitForSaves()
        return true
      }
    }
    let writer = ShardedCheckpointWriter(ranks: ranks, strategy: strategyDescription.name)
    guard let plan = try writer.plan(checkpoint, for: first) else { return }
    if let asynchronous, !alone, !keepsStateElsewhere, let others = try ranksInBackground() {
      let writer = ShardedCheckpointWriter(ranks: others, strategy: strategyDescription.name)
      try asynchronous.start(plan, to: paths) { try writer.write($0, to: paths) }
    } else {
      try writer.write(plan, to: paths)
    }
  }

  /// The type of what would let rank 0 write everything; nil for files.
  private static func typeThatWritesAlone(_ checkpointIO: any CheckpointIO) -> Any.Type? {
    let base = (checkpointIO as? AsyncCheckpointIO)?.base ?? checkpointIO
    return base is FileCheckpointIO ? nil : type(of: base)
  }

  /// Opens a checkpoint whose tensors stay in the files; nil for a single file that is to be read as a whole.
  final func openInParts(_ path: String, weightsOnly: Bool) throws -> Checkpoint? {
    try (checkpointIO as? AsyncCheckpointIO)?.waitForSaves()
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
