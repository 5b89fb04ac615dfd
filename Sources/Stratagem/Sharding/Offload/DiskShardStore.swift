internal import CProcess
internal import Glibc
public import Torch

/// Keeps vectors in a file, past the page cache, and moves them while the program computes.
///
/// The file has no name: it is gone when the store is closed or the process ends, however it ends. Blocks go by io_uring, or
/// by threads where the kernel has none (``isUsingRing``). Where the file system has no direct input and output
/// (``isDirect``), they go by the page cache.
public final class DiskShardStore: ShardStore {
  public let folder: String
  public let options: DiskOptions
  /// Whether blocks go by io_uring.
  public let isUsingRing: Bool
  /// Whether blocks pass by the page cache.
  public let isDirect: Bool

  private var descriptor: Int32
  private let queue: DiskQueue
  private var places: [Place] = []
  /// The bytes that are reserved, and those that the file has room for.
  public private(set) var byteCount = 0
  private var preparedByteCount = 0

  private struct Place {
    let offset: Int
    var isSaved = false
  }

  /// What buffers, offsets and counts of direct transfers are multiples of.
  static let alignment = 4096

  /// Makes the file.
  ///
  /// - Throws: ``ShardStoreError`` naming the folder when it cannot be written to, ``ConfigurationError`` for options out of
  ///   range.
  public init(in folder: String, options: DiskOptions = DiskOptions()) throws {
    try options.check()
    self.folder = folder
    self.options = options
    var isDirect = false
    descriptor = cp_open_unnamed(folder, &isDirect)
    guard descriptor >= 0 else { throw ShardStoreError("making the offload file", in: folder, code: errno) }
    self.isDirect = isDirect
    var usesRing = false
    guard
      let queue = cp_disk_queue_create(
        options.blockByteCount, Int32(options.queueDepth), Int32(options.threadCount), options.usesRing, &usesRing)
    else {
      Glibc.close(descriptor)
      throw ShardStoreError("starting the threads of the offload file", in: folder, code: EAGAIN)
    }
    isUsingRing = usesRing
    self.queue = DiskQueue(owning: queue)
  }

  deinit { close() }

  public func reserve(_ name: String, count: Int, dtype: DType) throws(ShardStoreError) -> ShardSlot {
    places.append(Place(offset: byteCount))
    let slot = ShardSlot(name: name, count: count, dtype: dtype, index: places.count - 1)
    byteCount += Self.padded(slot.byteCount)
    return slot
  }

  public func prepare() throws(ShardStoreError) {
    guard byteCount > preparedByteCount else { return }
    var space: UInt64 = 0
    var limit: UInt64 = 0
    // Beyond its limit a process is not told but ended, so it is asked for first.
    if cp_free_space(folder, &space, &limit) == 0, limit < UInt64(byteCount) {
      throw ShardStoreError("reserving the offload file", in: folder, code: EFBIG, needed: byteCount)
    }
    let code = cp_reserve(descriptor, off_t(byteCount))
    guard code == 0 else {
      throw ShardStoreError(
        "reserving the offload file", in: folder, code: code, needed: byteCount - preparedByteCount)
    }
    preparedByteCount = byteCount
  }

  public func makeBuffer(count: Int, dtype: DType) -> Tensor {
    let size = dtype.byteCount
    let memory = Tensor.empty([(Self.padded(count * size) + Self.alignment) / size], dtype: dtype)
    guard !memory.isPoisoned else { return memory }
    let address = memory.withUnsafeMutableBytes {
      cp_prefer_huge_pages($0.baseAddress, $0.count)
      return UInt(bitPattern: $0.baseAddress)
    }
    let offset = Int(UInt(Self.alignment) - address % UInt(Self.alignment)) % Self.alignment
    return memory.narrowed(dim: 0, start: offset / size, length: count)
  }

  public func startSaving(_ tensor: Tensor, to slot: ShardSlot) throws(ShardStoreError) -> any ShardTransfer {
    try slot.check(tensor)
    let place = try place(of: slot)
    try prepare()
    var source = tensor
    if !isTransferable(tensor) {
      let staging = makeBuffer(count: slot.count, dtype: slot.dtype)
      withoutGradients { staging.copy(from: tensor.detached().reshaped([-1])) }
      source = staging
    }
    places[slot.index].isSaved = true
    return try transfer(source, slot, place, isWrite: true, finally: nil)
  }

  public func startLoading(_ slot: ShardSlot, into tensor: Tensor) throws(ShardStoreError) -> any ShardTransfer {
    try slot.check(tensor)
    let place = try place(of: slot)
    guard place.isSaved else { throw ShardStoreError("nothing was saved as '\(slot.name)' yet") }
    if isTransferable(tensor) { return try transfer(tensor, slot, place, isWrite: false, finally: nil) }
    let staging = makeBuffer(count: slot.count, dtype: slot.dtype)
    return try transfer(staging, slot, place, isWrite: false) {
      withoutGradients { tensor.detached().reshaped([-1]).copy(from: staging) }
    }
  }

  public func close() {
    guard descriptor >= 0 else { return }
    queue.finish()
    Glibc.close(descriptor)
    descriptor = -1
    places = []
  }

  /// Whole pages go between the file and the tensor; what is left goes by a page of its own.
  private func transfer(
    _ tensor: Tensor, _ slot: ShardSlot, _ place: Place, isWrite: Bool, finally: (() -> Void)?
  ) throws(ShardStoreError) -> any ShardTransfer {
    let total = slot.byteCount
    let body = isDirect ? total / Self.alignment * Self.alignment : total
    let address = tensor.withUnsafeMutableBytes { $0.baseAddress }
    var parts: [(address: UnsafeMutableRawPointer?, count: Int, offset: Int)] = []
    if body > 0 { parts.append((address, body, place.offset)) }
    var page: Tensor?
    if total > body, let address {
      let tail = makeBuffer(count: Self.alignment, dtype: .uint8)
      page = tail
      tail.withUnsafeMutableBytes { bytes in
        if isWrite { bytes.copyMemory(from: UnsafeRawBufferPointer(start: address + body, count: total - body)) }
        parts.append((bytes.baseAddress, Self.alignment, place.offset + body))
      }
    }
    let transfer = DiskTransfer(queue: queue, memory: [tensor, page].compactMap { $0 }) { [folder] code in
      ShardStoreError(
        "\(isWrite ? "writing" : "reading") '\(slot.name)'", in: folder, code: code, needed: isWrite ? total : nil)
    } finally: {
      if !isWrite, let page, let address {
        page.withUnsafeBytes { (address + body).copyMemory(from: $0.baseAddress!, byteCount: total - body) }
      }
      finally?()
    }
    for part in parts {
      guard transfer.start(descriptor, isWrite: isWrite, part.address, count: part.count, at: part.offset) else {
        throw ShardStoreError("\(isWrite ? "writing" : "reading") '\(slot.name)'", in: folder, code: ENOMEM)
      }
    }
    return transfer
  }

  private func place(of slot: ShardSlot) throws(ShardStoreError) -> Place {
    guard descriptor >= 0, places.indices.contains(slot.index) else {
      throw ShardStoreError(
        "there is no place for '\(slot.name)': the store is closed, or the place is another store's")
    }
    return places[slot.index]
  }

  /// Whether a tensor's memory begins where it must.
  private func isTransferable(_ tensor: Tensor) -> Bool {
    !isDirect || tensor.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) } % UInt(Self.alignment) == 0
  }

  private static func padded(_ count: Int) -> Int { (count + alignment - 1) / alignment * alignment }
}
