/// Checkpoints by way of another implementation: whatever is not written anew, `base` does.
///
/// ```swift
/// struct MirroredCheckpointIO: WrappingCheckpointIO {
///   let base: any CheckpointIO
///   let mirror: String
///   func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
///     try base.save(checkpoint, to: path, options: options)
///     try base.save(checkpoint, to: mirror + path, options: options)
///   }
/// }
/// ```
public protocol WrappingCheckpointIO: CheckpointIO {
  var base: any CheckpointIO { get }
}

extension WrappingCheckpointIO {
  public func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
    try base.save(checkpoint, to: path, options: options)
  }

  public func load(from path: String, weightsOnly: Bool) throws -> Checkpoint {
    try base.load(from: path, weightsOnly: weightsOnly)
  }

  public func remove(at path: String) throws { try base.remove(at: path) }
  public func exists(at path: String) -> Bool { base.exists(at: path) }
  public func check() throws { try base.check() }
  public func tearDown() throws { try base.tearDown() }
}
