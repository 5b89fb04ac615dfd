internal import Torch

/// A vector on its way to or from a file.
final class DiskTransfer: ShardTransfer {
  private var jobs: [OpaquePointer] = []
  private let queue: DiskQueue
  /// Kept while the kernel uses it.
  private let memory: [Tensor]
  private let failure: (Int32) -> ShardStoreError
  private var finally: (() -> Void)?

  /// - Parameters:
  ///   - failure: the error for an `errno` value.
  ///   - finally: called once when everything is done.
  init(
    queue: DiskQueue, memory: [Tensor], failure: @escaping (Int32) -> ShardStoreError, finally: @escaping () -> Void
  ) {
    self.queue = queue
    self.memory = memory
    self.failure = failure
    self.finally = finally
  }

  deinit { for job in jobs { _ = queue.wait(job) } }

  /// Starts a part; false without memory for it.
  func start(
    _ descriptor: Int32, isWrite: Bool, _ address: UnsafeMutableRawPointer?, count: Int, at offset: Int
  ) -> Bool {
    guard let job = queue.start(descriptor, isWrite: isWrite, address, count: count, at: offset) else { return false }
    jobs.append(job)
    return true
  }

  func wait() throws(ShardStoreError) {
    let pending = jobs
    jobs = []
    var code: Int32 = 0
    for job in pending {
      let own = queue.wait(job)
      if code == 0 { code = own }
    }
    let finally = self.finally
    self.finally = nil
    guard code == 0 else { throw failure(code) }
    finally?()
  }
}
