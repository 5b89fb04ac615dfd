import CFloor
import Glibc
import Stratagem
import Torch

/// How fast vectors go to and come from a store on a disk, against plain direct writes and reads of the same bytes, one
/// block of 8 MB after the other, as `dd oflag=direct bs=8M` makes them.
enum Disk {
  static func measure(rounds: Int, folder: String) throws -> Result {
    let count = 1 << 24
    let vectors = 8
    let megabytes = Double(count * vectors * 4) / 1e6
    let store = try DiskShardStore(in: folder)
    let slots = try (0..<vectors).map { try store.reserve("vector \($0)", count: count, dtype: .float32) }
    try store.prepare()
    let buffers = slots.map { _ in store.makeBuffer(count: count, dtype: .float32) }
    for buffer in buffers { buffer.fill(1) }
    let plain = try PlainFile(in: folder)
    var numbers: [String: [Double]] = [:]
    for _ in 0...rounds {
      let write = try Clock.seconds {
        let transfers = try zip(buffers, slots).map { try store.startSaving($0, to: $1) }
        for transfer in transfers { try transfer.wait() }
      }
      let plainWrite = Clock.seconds { plain.move(megabytes * 1e6, writing: true) }
      let read = try Clock.seconds {
        let transfers = try zip(buffers, slots).map { try store.startLoading($1, into: $0) }
        for transfer in transfers { try transfer.wait() }
      }
      let plainRead = Clock.seconds { plain.move(megabytes * 1e6, writing: false) }
      numbers["write", default: []].append(megabytes / write)
      numbers["plain_write", default: []].append(megabytes / plainWrite)
      numbers["read", default: []].append(megabytes / read)
      numbers["plain_read", default: []].append(megabytes / plainRead)
    }
    // The first round meets files that have no blocks yet.
    let medians = numbers.mapValues { Array($0.dropFirst()).median }
    var result = Result()
    for (name, value) in medians.sorted(by: { $0.key < $1.key }) { result.add(name, value) }
    result.add("write_ratio", (medians["write"] ?? .nan) / (medians["plain_write"] ?? .nan))
    result.add("read_ratio", (medians["read"] ?? .nan) / (medians["plain_read"] ?? .nan))
    result.add("is_direct", store.isDirect ? 1 : 0)
    result.add("is_ring", store.isUsingRing ? 1 : 0)
    return result
  }
}

/// A file that is written and read a block at a time.
private final class PlainFile {
  private let descriptor: Int32
  private let block: UnsafeMutableRawPointer
  private let size = 8 << 20

  init(in folder: String) throws {
    let path = "\(folder)/stratagem-plain-\(getpid())"
    let descriptor = floor_open_direct(path)
    guard descriptor >= 0 else { throw UsageError("\(path) cannot be written: \(String(cString: strerror(errno)))") }
    unlink(path)
    self.descriptor = descriptor
    block = .allocate(byteCount: size, alignment: 4096)
    memset(block, 1, size)
  }

  deinit {
    close(descriptor)
    block.deallocate()
  }

  func move(_ bytes: Double, writing: Bool) {
    for index in 0..<Int(bytes) / size {
      let offset = off_t(index * size)
      _ = writing ? pwrite(descriptor, block, size, offset) : pread(descriptor, block, size, offset)
    }
  }
}
