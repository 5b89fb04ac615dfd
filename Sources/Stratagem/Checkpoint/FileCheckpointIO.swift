internal import Glibc
internal import Torch

/// Checkpoints as single files that Python's `torch.load(weights_only=True)` opens.
public struct FileCheckpointIO: CheckpointIO {
  public init() {}

  public func save(_ checkpoint: Checkpoint, to path: String) throws {
    try Folder.create(Folder.parent(of: path))
    try TorchFile.save(.dictionary(checkpoint.contents), to: path)
  }

  public func load(from path: String) throws -> Checkpoint {
    guard case .dictionary(let contents) = try TorchFile.load(path) else {
      throw CheckpointError(path: path, reason: "the file holds no dictionary, so it is not a checkpoint")
    }
    return Checkpoint(contents)
  }

  public func remove(at path: String) throws {
    if unlink(path) != 0 && errno != ENOENT {
      throw CheckpointError(path: path, reason: "cannot be removed: \(String(cString: strerror(errno)))")
    }
  }
}
