internal import CTorch
import Torch

/// A collective under way. Its tensors must not be touched until ``wait()`` returned.
public final class Work {
  private let handle: OpaquePointer
  private let operation: String
  private let rank: Int
  private var tensors: [Tensor]

  init(owning handle: OpaquePointer, operation: String, rank: Int, tensors: [Tensor]) {
    self.handle = handle
    self.operation = operation
    self.rank = rank
    self.tensors = tensors
  }

  deinit { ct_work_release(handle) }

  public var isCompleted: Bool { ct_work_is_completed(handle) }

  /// Blocks until the result is there.
  public func wait() throws(DistributedError) {
    defer { tensors = [] }
    guard ct_work_wait(handle) else { throw .last(operation, rank: rank) }
  }
}
