internal import CProcess
internal import Glibc

/// The threads that move blocks of files; they stay while something is on its way.
final class DiskQueue {
  private var handle: OpaquePointer?

  init(owning handle: OpaquePointer) { self.handle = handle }

  deinit { finish() }

  /// Starts to move bytes; both memory and file stay until ``wait(_:)`` returns. Nil without memory.
  func start(
    _ descriptor: Int32, isWrite: Bool, _ address: UnsafeMutableRawPointer?, count: Int, at offset: Int
  ) -> OpaquePointer? {
    handle.flatMap { cp_disk_start($0, descriptor, isWrite, address, address == nil ? 0 : count, off_t(offset)) }
  }

  /// Returns 0 or an `errno` value.
  func wait(_ job: OpaquePointer) -> Int32 { handle.map { cp_disk_wait($0, job) } ?? EBADF }

  /// Ends the threads when everything that was started is done.
  func finish() {
    if let handle { cp_disk_queue_free(handle) }
    handle = nil
  }
}
