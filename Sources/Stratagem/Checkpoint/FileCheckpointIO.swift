internal import Glibc
internal import Torch

/// Checkpoints as single files that Python's `torch.load(weights_only=True)` opens.
public struct FileCheckpointIO: CheckpointIO {
  public init() {}

  /// - Throws: ``CheckpointError`` for any option, and when the folder cannot be made; `FileError` when the disk is full
  ///   or the file cannot be written.
  public func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
    guard options.isEmpty else {
      throw CheckpointError(
        path: path,
        reason:
          "a file has no options, but \(options.keys.sorted().joined(separator: ", ")) was given; leave it out, or "
          + "give the trainer a CheckpointIO that knows it")
    }
    // The file may need what the one before the last took.
    RemovedFiles.shared.wait()
    try Folder.create(Folder.parent(of: path))
    let folder = ShardedFolder(path)
    CheckpointLeftovers.remove(beside: folder.path)
    // A sharded checkpoint is there until the file is.
    let replacesFolder = folder.isOwn
    let file = try AtomicFile(replacesFolder ? folder.path : path, replacesFolder: replacesFolder)
    if let source = checkpoint.source {
      try TorchFile.save(.dictionary(checkpoint.contents), to: file) { try source.load($0) }
    } else {
      try TorchFile.save(.dictionary(checkpoint.contents), to: file)
    }
    if let replaced = file.replacedFolder { try ShardedFolder(replaced).remove() }
  }

  /// - Throws: `FileError` when there is no such file or it is damaged.
  public func load(from path: String, weightsOnly: Bool) throws -> Checkpoint {
    let location = try CheckpointLocation.find(path)
    if location.isFolder { return try Checkpoint.open(location, path) }
    if case .safetensors = location {
      return Checkpoint(["state_dict": .dictionary(ArchiveDictionary(try Safetensors.load(path)))])
    }
    guard case .dictionary(var contents) = try TorchFile.load(path) else {
      throw CheckpointError(path: path, reason: "the file holds no dictionary, so it is not a checkpoint")
    }
    if weightsOnly {
      contents["optimizer_states"] = nil
      contents["lr_schedulers"] = nil
    }
    return Checkpoint(contents)
  }

  /// Removes a file, or the folder of a sharded checkpoint. Its space is given back in the background.
  public func remove(at path: String) throws {
    let folder = ShardedFolder(path)
    if folder.isOwn { return try folder.remove() }
    let code = RemovedFiles.shared.remove(path)
    if code != 0, code != ENOENT {
      throw CheckpointError(path: path, reason: "cannot be removed: \(String(cString: strerror(code)))")
    }
  }
}
