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
    try Folder.create(Folder.parent(of: path))
    try TorchFile.save(.dictionary(checkpoint.contents), to: path)
  }

  /// - Throws: `FileError` when there is no such file or it is damaged.
  public func load(from path: String, weightsOnly: Bool) throws -> Checkpoint {
    guard case .dictionary(var contents) = try TorchFile.load(path) else {
      throw CheckpointError(path: path, reason: "the file holds no dictionary, so it is not a checkpoint")
    }
    if weightsOnly {
      contents["optimizer_states"] = nil
      contents["lr_schedulers"] = nil
    }
    return Checkpoint(contents)
  }

  public func remove(at path: String) throws {
    if unlink(path) != 0 && errno != ENOENT {
      throw CheckpointError(path: path, reason: "cannot be removed: \(String(cString: strerror(errno)))")
    }
  }
}
