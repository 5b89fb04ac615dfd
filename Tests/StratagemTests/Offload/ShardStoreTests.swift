import Foundation
import Glibc
import Stratagem
import Testing
import Torch

@Suite("Stores of vectors, in memory and on a disk")
struct ShardStoreTests {
  static let kinds: [StoreKind] = [.memory, .disk(ring: true), .disk(ring: false)]

  @Test("vectors of all sizes come back as they were, also when many are on their way", arguments: kinds)
  func roundTrip(kind: StoreKind) throws {
    let store = try kind.make(blocks: 4096, depth: 3)
    let counts = [1, 5, 1023, 1024, 1025, 4096, 100_003, 0]
    let slots = try counts.map { try store.reserve("vector of \($0)", count: $0, dtype: .float32) }
    let bytes = try store.reserve("bytes", count: 7, dtype: .uint8)
    try store.prepare()
    for round in 1...2 {
      let vectors = counts.map { Tensor.arange($0).to(.float32) * Scalar(round) }
      let transfers = try zip(vectors, slots).map { try store.startSaving($0, to: $1) }
      try store.save(Tensor([1, 2, 3, 4, 5, 6, 7] as [UInt8]), to: bytes)
      for transfer in transfers { try transfer.wait() }
      for (vector, slot) in zip(vectors, slots).reversed() { #expect(try store.load(slot).equals(vector)) }
      #expect(try store.load(bytes).array(as: UInt8.self) == [1, 2, 3, 4, 5, 6, 7])
    }
    store.close()
    #expect(throws: ShardStoreError.self) { try store.load(slots[0]) }
  }

  @Test("a part of a larger tensor is loaded and nothing else is touched", arguments: kinds)
  func partOfTensor(kind: StoreKind) throws {
    let store = try kind.make()
    let slot = try store.reserve("part", count: 1500, dtype: .float32)
    try store.save(.full([1500], 7), to: slot)
    let whole = store.makeBuffer(count: 4096, dtype: .float32)
    whole.zero()
    try store.startLoading(slot, into: whole.narrowed(dim: 0, start: 0, length: 1500)).wait()
    try store.startLoading(slot, into: whole.narrowed(dim: 0, start: 2001, length: 1500)).wait()
    #expect(try whole.sum().scalar() == 21_000)
    #expect(try whole[1499..<2002].sum().scalar() == 14)
  }

  @Test("what does not fit is refused by name", arguments: kinds)
  func misuse(kind: StoreKind) throws {
    let store = try kind.make()
    let slot = try store.reserve("weights", count: 4, dtype: .float32)
    func message(_ body: () throws -> Void) -> String {
      do {
        try body()
        return ""
      } catch {
        return "\(error)"
      }
    }
    #expect(message { _ = try store.load(slot) }.contains("nothing was saved as 'weights'"))
    #expect(message { try store.save(.zeros([5]), to: slot) }.contains("'weights' takes 4 numbers"))
    #expect(message { try store.save(.zeros([4], dtype: .float64), to: slot) }.contains("float32"))
  }

  @Test("a folder that is not there, and options out of range")
  func badPlaces() throws {
    let missing = #expect(throws: ShardStoreError.self) { _ = try DiskShardStore(in: "/nonexistent/folder") }
    #expect(missing?.description.contains("/nonexistent/folder") == true)
    let options = DiskOptions(blockByteCount: 5000, queueDepth: 0)
    let error = #expect(throws: ConfigurationError.self) { _ = try DiskShardStore(in: "/tmp", options: options) }
    #expect(error?.description.contains("blockByteCount is 5000") == true)
    #expect(error?.description.contains("queueDepth is 0") == true)
  }

  @Test("too little room is noticed before anything is written, with what is needed and what there is")
  func fullDisk() async {
    await #expect(processExitsWith: .success) {
      // A disk that is full and a process that may not write more look the same from here.
      var limit = rlimit(rlim_cur: 1 << 20, rlim_max: 1 << 20)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit) == 0)
      let folder = FileManager.default.temporaryDirectory.path
      let store = try DiskShardStore(in: folder)
      _ = try store.reserve("moments", count: 1 << 20, dtype: .float32)
      let error = #expect(throws: ShardStoreError.self) { try store.prepare() }
      #expect(error?.needed == 1 << 22)
      #expect(error?.available == 1 << 20)
      #expect(error?.folder == folder)
      let text = error?.description ?? ""
      #expect(text.contains(folder) && text.contains("4194304 bytes are needed and 1048576 are available"), "\(text)")
    }
  }

  @Test("a disk with less room than is reserved")
  func smallDisk() throws {
    let folder = FileManager.default.temporaryDirectory.path
    let store = try DiskShardStore(in: folder)
    // More than any disk has.
    _ = try store.reserve("moments", count: 1 << 50, dtype: .float32)
    let error = #expect(throws: ShardStoreError.self) { try store.prepare() }
    #expect(error?.needed == 1 << 52)
    #expect((error?.available ?? 0) > 0)
    #expect(error?.description.contains(folder) == true)
  }

  @Test("the file has no name, so a process that is killed leaves nothing")
  func noName() throws {
    let folder = FileManager.default.temporaryDirectory.appending(path: "offload-\(UUID().uuidString)").path
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    defer { try? FileManager.default.removeItem(atPath: folder) }
    let store = try DiskShardStore(in: folder)
    let slot = try store.reserve("vector", count: 100_000, dtype: .float32)
    try store.save(.ones([100_000]), to: slot)
    #expect(try FileManager.default.contentsOfDirectory(atPath: folder).isEmpty)
    #expect(try store.load(slot).sum().scalar() == 100_000)
  }
}

/// What is tested, by name.
enum StoreKind: Sendable, CustomTestStringConvertible {
  case memory
  case disk(ring: Bool)

  var testDescription: String {
    switch self {
    case .memory: "memory"
    case .disk(let ring): ring ? "disk by io_uring" : "disk by threads"
    }
  }

  func make(blocks: Int = 1 << 16, depth: Int = 4) throws -> any ShardStore {
    switch self {
    case .memory: return MemoryShardStore()
    case .disk(let ring):
      return try DiskShardStore(
        in: FileManager.default.temporaryDirectory.path,
        options: DiskOptions(blockByteCount: blocks, queueDepth: depth, usesRing: ring))
    }
  }
}
