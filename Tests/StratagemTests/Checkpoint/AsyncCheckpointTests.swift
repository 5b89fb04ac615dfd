import Foundation
import Stratagem
import Synchronization
import Testing
import Torch

@Suite("Checkpoints written in the background")
struct AsyncCheckpointTests {
  /// Notes what it is asked for, waits where a test wants it to, and fails for names with `bad` in them.
  final class RecordingIO: CheckpointIO, Sendable {
    private let calls = Mutex<[String]>([])
    private let gate = DispatchSemaphore(value: 0)
    let isGated: Bool

    init(gated: Bool = false) { isGated = gated }

    var recorded: [String] { calls.withLock { $0 } }
    func open() { gate.signal() }

    func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
      if isGated { gate.wait() }
      let sum = checkpoint["x"]?.tensorValue.flatMap { try? $0.sum().scalar() } ?? 0
      calls.withLock { $0.append("save \(path) \(sum)") }
      if path.contains("bad") { throw CheckpointError(path: path, reason: "the disk is full") }
    }

    func load(from path: String, weightsOnly: Bool) throws -> Checkpoint {
      calls.withLock { $0.append("load \(path)") }
      return Checkpoint()
    }

    func remove(at path: String) throws { calls.withLock { $0.append("remove \(path)") } }
    func exists(at path: String) -> Bool { path == "old" }
    func tearDown() throws { calls.withLock { $0.append("tearDown") } }
  }

  private func checkpoint(_ tensor: Tensor) -> Checkpoint { Checkpoint(["x": .tensor(tensor)]) }

  @Test("What is written is the state at the time of the call")
  func snapshot() throws {
    let base = RecordingIO(gated: true)
    let io = AsyncCheckpointIO(base)
    let weights = Tensor.ones([4])
    try io.save(checkpoint(weights), to: "a")
    weights.zero()
    base.open()
    try io.tearDown()
    #expect(base.recorded == ["save a 4.0", "tearDown"])
  }

  @Test("Several places of one checkpoint, and removals, in the order of the calls")
  func order() throws {
    let base = RecordingIO()
    let io = AsyncCheckpointIO(base)
    try io.save(checkpoint(.ones([1])), to: ["a", "b"], options: [:])
    try io.remove(at: "a")
    try io.save(checkpoint(.ones([2])), to: "c")
    try io.remove(at: "b")
    _ = try io.load(from: "c")
    #expect(base.recorded == ["save a 1.0", "save b 1.0", "remove a", "save c 2.0", "remove b", "load c"])
  }

  @Test("A file that is about to be written counts as there")
  func exists() throws {
    let base = RecordingIO(gated: true)
    let io = AsyncCheckpointIO(base)
    try io.save(checkpoint(.ones([1])), to: "new")
    #expect(io.exists(at: "new") && io.exists(at: "old") && !io.exists(at: "other"))
    base.open()
    try io.tearDown()
    #expect(!io.exists(at: "new"))
  }

  @Test("The next save waits for the one before")
  func bounded() throws {
    let base = RecordingIO(gated: true)
    let io = AsyncCheckpointIO(base)
    try io.save(checkpoint(.ones([1])), to: "a")
    let second = UnsafeTransfer(io)
    let isThrough = Mutex(false)
    let thread = Thread {
      try? second.value.save(Checkpoint(["x": .tensor(.ones([2]))]), to: "b")
      isThrough.withLock { $0 = true }
    }
    thread.start()
    usleep(50_000)
    #expect(!isThrough.withLock { $0 })
    base.open()
    base.open()
    while !thread.isFinished { usleep(1000) }
    try io.tearDown()
    #expect(base.recorded == ["save a 1.0", "save b 2.0", "tearDown"])
  }

  @Test("A failure surfaces once, and nothing is removed for a checkpoint that is not there")
  func failure() throws {
    let base = RecordingIO()
    let io = AsyncCheckpointIO(base)
    try io.save(checkpoint(.ones([1])), to: "bad")
    try io.remove(at: "old")
    let reported = #expect(throws: CheckpointError.self) {
      while true {
        try io.check()
        usleep(1000)
      }
    }
    #expect(reported?.description == "checkpoint 'bad': the disk is full")
    #expect(base.recorded == ["save bad 1.0"])
    try io.check()
    try io.save(checkpoint(.ones([1])), to: "good")
    try io.tearDown()
    #expect(base.recorded == ["save bad 1.0", "save good 1.0", "tearDown"])
  }

  @Test("A failure that nobody asked for surfaces at the next save, or at the end")
  func lateFailure() throws {
    let base = RecordingIO()
    let io = AsyncCheckpointIO(base)
    try io.save(checkpoint(.ones([1])), to: "bad")
    #expect(throws: CheckpointError.self) { try io.save(checkpoint(.ones([1])), to: "b") }
    try io.save(checkpoint(.ones([1])), to: "bad2")
    #expect(throws: CheckpointError.self) { try io.tearDown() }
    #expect(base.recorded == ["save bad 1.0", "save bad2 1.0", "tearDown"])
  }

  @Test("Tensors that share memory share it in the file")
  func sharing() throws {
    let folder = try LoggingFolder()
    let io = AsyncCheckpointIO()
    let weights = Tensor((0..<1000).map { Float($0) }, shape: [10, 100])
    try io.save(
      Checkpoint([
        "tied": [
          "a": .tensor(weights), "b": .tensor(weights), "row": .tensor(weights[3]),
          "t": .tensor(weights.transposed(0, 1)),
        ],
        "list": .list([.tensor(weights[1]), 2, .tuple(["x"])]),
      ]), to: folder.path + "/a.ckpt")
    try io.tearDown()
    let size = try FileManager.default.attributesOfItem(atPath: folder.path + "/a.ckpt")[.size] as? Int
    #expect(try #require(size) < 6000, "the 4000 bytes are there once")
    let loaded = try io.load(from: folder.path + "/a.ckpt")
    let tied = try #require(loaded["tied"]?.dictionaryValue)
    #expect(try tied["row"]?.tensorValue?.array(as: Float.self) == (300..<400).map { Float($0) })
    #expect(try tied["t"]?.tensorValue?[2][7].scalar() == 702)
    #expect(try loaded["list"]?.listValue?[0].tensorValue?[5].scalar() == 105)
    tied["a"]?.tensorValue?.zero()
    #expect(try tied["b"]?.tensorValue?.sum().scalar() == 0)
  }

  @Test("An unwritable folder, and options that a file does not have")
  func refused() throws {
    let folder = try LoggingFolder()
    try folder.write("", to: "file")
    let io = AsyncCheckpointIO()
    try io.save(Checkpoint(["epoch": 1]), to: folder.path + "/file/sub/a.ckpt")
    let error = #expect(throws: CheckpointError.self) { try io.tearDown() }
    #expect(error?.description.contains("the folder cannot be created: Not a directory") == true)
    #expect(throws: CheckpointError.self) {
      try FileCheckpointIO().save(Checkpoint(), to: folder.path + "/a.ckpt", options: ["token": "x"])
    }
  }

  @Test("A wrapper changes what it names and leaves the rest to its base")
  func wrapping() throws {
    struct Mirror: WrappingCheckpointIO {
      let base: any CheckpointIO
      func save(_ checkpoint: Checkpoint, to path: String, options: [String: String]) throws {
        try base.save(checkpoint, to: path, options: options)
        try base.save(checkpoint, to: "mirror/" + path, options: options)
      }
    }
    let base = RecordingIO()
    let io = AsyncCheckpointIO(Mirror(base: base))
    try io.save(checkpoint(.ones([1])), to: ["a", "b"], options: [:])
    try io.remove(at: "a")
    try io.tearDown()
    #expect(
      base.recorded == [
        "save a 1.0", "save mirror/a 1.0", "save b 1.0", "save mirror/b 1.0", "remove a", "tearDown",
      ])
    #expect(io.exists(at: "old"))
  }
}
