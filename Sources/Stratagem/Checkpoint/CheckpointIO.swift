/// How checkpoints are written and read.
///
/// Rank 0 writes and removes; every rank reads. A type of one's own implements the first three methods; one that changes
/// only some of what another does conforms to ``WrappingCheckpointIO``.
public protocol CheckpointIO {
  /// Writes so that either the whole new file or the old one is there, whatever happens.
  ///
  /// - Parameter options: what `saveCheckpoint(to:weightsOnly:options:)` was given for this place, such as the
  ///   credentials of a remote one; an implementation refuses what it does not know.
  func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws

  /// Reads a checkpoint.
  ///
  /// - Parameter weightsOnly: leave out what only training needs (optimizer states and schedules), where that saves time
  ///   or memory.
  func load(from path: String, weightsOnly: Bool) throws -> Checkpoint

  /// Removes a checkpoint; one that does not exist is no error.
  func remove(at path: String) throws

  /// Writes the same checkpoint to several places.
  func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws

  /// Whether there is a checkpoint, counting one that is about to be written.
  func exists(at path: String) -> Bool

  /// Throws the error of work that went on in the background. Called on rank 0 after every batch, so it has to be cheap.
  func check() throws

  /// Finishes work that goes on in the background, and throws its error. Called on rank 0 at the end of every run.
  func tearDown() throws
}

extension CheckpointIO {
  public func save(_ checkpoint: Checkpoint, to path: String) throws {
    try save(checkpoint, to: path, options: [:])
  }

  public func load(from path: String) throws -> Checkpoint { try load(from: path, weightsOnly: false) }

  public func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    for path in paths { try save(checkpoint, to: path, options: options) }
  }

  public func exists(at path: String) -> Bool { Folder.exists(path) }
  public func check() throws {}
  public func tearDown() throws {}
}
