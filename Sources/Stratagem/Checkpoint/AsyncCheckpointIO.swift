internal import Torch

/// Checkpoints that are written while training goes on.
///
/// A save copies the tensors, into memory that is kept until the end of the run, and leaves the writing to a thread. One
/// checkpoint is written at a time: the next save waits for the one before. When writing fails, the run fails at its next
/// batch, or at the latest at its end, where the last write is waited for.
///
/// With `stateDictType: .sharded` every rank copies what it writes of the checkpoint, and all write at the same time; the
/// checkpoint before is replaced when the files of all ranks are on the disk. That needs files as base.
///
/// ```swift
/// let trainer = try Trainer(strategy: "ddp", devices: 2, plugins: [AsyncCheckpointIO()])
/// ```
public final class AsyncCheckpointIO: WrappingCheckpointIO {
  public let base: any CheckpointIO
  private let writer = CheckpointWriter()
  /// Where the last copy is; free once it is written.
  private var memory: [Tensor] = []

  /// - Parameter base: what writes, on another thread, and reads.
  public init(_ base: any CheckpointIO = FileCheckpointIO()) { self.base = base }

  public func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
    try save(checkpoint, to: [path], options: options)
  }

  public func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    try writer.waitForSaves()
    let (snapshot, memory) = try withErrorScope { CheckpointSnapshot.copy(checkpoint, reusing: self.memory) }
    self.memory = memory
    writer.enqueue(writing: paths) { [base] in try base.save(snapshot, to: paths, options: options) }
  }

  /// Starts to write a sharded checkpoint on all ranks. What was started before has to be waited for, on all of them.
  ///
  /// - Parameter write: what the thread does with the copy.
  func start(
    _ plan: ShardedCheckpointPlan, to paths: [String], _ write: @escaping (ShardedCheckpointPlan) throws -> Void
  ) throws {
    var plan = plan
    memory = try withErrorScope { plan.copyTensors(reusing: memory) }
    writer.enqueue(writing: paths) { try write(plan) }
  }

  /// Waits until no checkpoint is being written.
  func waitForSaves() throws { try writer.waitForSaves() }

  /// Reads what is written by then.
  public func load(from path: String, weightsOnly: Bool) throws -> Checkpoint {
    try writer.finish()
    return try base.load(from: path, weightsOnly: weightsOnly)
  }

  /// Removes a checkpoint after the saves that were asked for before.
  public func remove(at path: String) throws {
    writer.enqueue { [base] in try base.remove(at: path) }
  }

  public func exists(at path: String) -> Bool { writer.isPending(path) || base.exists(at: path) }

  public func check() throws {
    try writer.check()
    try base.check()
  }

  public func tearDown() throws {
    let written = Result { try writer.finish() }
    memory = []
    try base.tearDown()
    try written.get()
  }
}
