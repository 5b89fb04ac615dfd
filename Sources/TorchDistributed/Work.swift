internal import CTorch
import Torch

/// A collective under way. Its tensors must not be touched until ``wait()`` returned.
public final class Work {
  private let handle: OpaquePointer
  private let operation: String
  private let rank: Int
  private var tensors: [Tensor]
  private let kind: CollectiveActivity.Kind
  private let activity: CollectiveActivity

  init(
    owning handle: OpaquePointer, operation: String, rank: Int, tensors: [Tensor], kind: CollectiveActivity.Kind,
    activity: CollectiveActivity
  ) {
    self.kind = kind
    self.activity = activity
    self.handle = handle
    self.operation = operation
    self.rank = rank
    self.tensors = tensors
  }

  deinit { ct_work_release(handle) }

  public var isCompleted: Bool { ct_work_is_completed(handle) }

  /// Blocks until the result is there.
  public func wait() throws(DistributedError) {
    activity.enter(kind)
    defer { tensors = [] }
    // After a failure the activity still tells what was waited for.
    guard ct_work_wait(handle) else { throw .last(operation, rank: rank) }
    activity.leave()
  }
}
