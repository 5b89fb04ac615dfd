internal import CTorch
import Glibc

/// Bytes on their way to a file past the page cache: they are collected into blocks, which a thread writes while the next
/// ones are filled.
///
/// A failure is thus found out later than the bytes are appended: at the latest by `finish`.
final class BlockPipeline {
  private static let blockByteCount = 2 << 20
  private static let blockCount = 4

  /// The thread's until `finish` or a failure.
  private let sink: FileSink
  private let handle: ct_block_writer
  /// What is being filled, and with how many bytes so far.
  private var block: UnsafeMutableRawPointer?
  private var count = 0

  /// Starts the thread; nil without memory.
  init?(_ sink: FileSink) {
    let created = ct_block_writer_create(
      Self.blockByteCount, Self.blockCount,
      { context, bytes, count in
        guard let context, let bytes else { return false }
        let sink = Unmanaged<FileSink>.fromOpaque(context).takeUnretainedValue()
        return sink.write(UnsafeRawBufferPointer(start: bytes, count: count))
      }, Unmanaged.passUnretained(sink).toOpaque())
    guard let created else { return nil }
    self.sink = sink
    handle = created
  }

  /// Forgets what is not written yet.
  deinit {
    ct_block_writer_release(handle)
    withExtendedLifetime(sink) {}
  }

  var hasFailed: Bool {
    defer { withExtendedLifetime(self) {} }
    return ct_block_writer_has_failed(handle)
  }

  /// Appends bytes; false after a failure.
  func append(_ bytes: UnsafeRawBufferPointer) -> Bool {
    defer { withExtendedLifetime(self) {} }
    var rest = bytes
    while let source = rest.baseAddress, !rest.isEmpty {
      block = block ?? ct_block_writer_take(handle)
      guard let block else { return false }
      let taken = min(rest.count, Self.blockByteCount - count)
      memcpy(block + count, source, taken)
      count += taken
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(taken))
      if count == Self.blockByteCount { give() }
    }
    return true
  }

  /// Waits until everything is written; false when it could not be.
  func finish() -> Bool {
    defer { withExtendedLifetime(self) {} }
    if count > 0 { give() }
    return ct_block_writer_finish(handle)
  }

  private func give() {
    ct_block_writer_give(handle, count)
    block = nil
    count = 0
  }
}
