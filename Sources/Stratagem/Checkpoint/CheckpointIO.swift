/// How checkpoints are written and read.
public protocol CheckpointIO {
  /// Writes so that either the whole new file or the old one is there, whatever happens.
  func save(_ checkpoint: Checkpoint, to path: String) throws
  func load(from path: String) throws -> Checkpoint
  func remove(at path: String) throws
}
