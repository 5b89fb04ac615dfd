import Foundation
import Testing
import Torch

@testable import Stratagem

@Suite("Sharded checkpoints that are damaged, or not finished")
struct ShardedDamageTests {
  let folder: ScratchFolder
  let path: String

  init() throws {
    folder = try ScratchFolder()
    path = "\(folder.path)/a.ckpt"
  }

  private func save(_ count: Int, epoch: Int = 3, fullDiskOn failing: Int? = nil) -> [String] {
    ThreadRanks.run(count) { [path] ranks in
      var checkpoint = SampleCheckpoint.held(by: ranks.rank, of: count)
      checkpoint["epoch"] = .int(epoch)
      var writer = ShardedCheckpointWriter(ranks: ranks, strategy: "test")
      if ranks.rank == failing {
        writer.open = {
          try AtomicFile($0) { _, _ in
            errno = ENOSPC
            return -1
          }
        }
      }
      try writer.save(checkpoint, to: path)
    }.map { $0.map { "\($0)" } ?? "" }
  }

  private func failure() -> String {
    do { _ = try Checkpoint.open(path) } catch { return "\(error)" }
    return ""
  }

  @Test("A disk that is full on one rank fails the save on all, and the checkpoint before stays", arguments: [0, 2])
  func fullDisk(rank: Int) throws {
    #expect(save(3) == ["", "", ""])
    let errors = save(3, epoch: 4, fullDiskOn: rank)
    for error in errors {
      #expect(error.hasPrefix("checkpoint '\(path)': rank \(rank): "), "\(error)")
      #expect(error.contains("No space left on device after 0 of about"), "\(error)")
    }
    #expect(folder.names("a.ckpt") == ["latest", "v1"])
    #expect(try Checkpoint.open(path).epoch == 3)
    // Without one before, nothing is left.
    try ShardedFolder(path).remove()
    _ = save(3, fullDiskOn: rank)
    #expect(folder.names() == [])
  }

  @Test("In the background: the state of the time of the call; a full disk fails all ranks", arguments: [false, true])
  func background(isFull: Bool) throws {
    #expect(save(3) == ["", "", ""])
    let expected = try fingerprint(.dictionary(SampleCheckpoint.contents()))
    let errors = ThreadRanks.run(3) { [path] ranks in
      let checkpoint = SampleCheckpoint.held(by: ranks.rank, of: 3)
      var writer = ShardedCheckpointWriter(ranks: ranks, strategy: "test")
      if isFull, ranks.rank == 1 {
        writer.open = {
          try AtomicFile($0) { _, _ in
            errno = ENOSPC
            return -1
          }
        }
      }
      let plan = try #require(try writer.plan(checkpoint, for: path))
      let gate = DispatchSemaphore(value: 0)
      let io = AsyncCheckpointIO()
      try io.start(plan, to: [path, path + "2"]) { [writer] in
        gate.wait()
        try writer.write($0, to: [path, path + "2"])
      }
      #expect(io.exists(at: path + "2"))
      // Training goes on.
      for (_, tensor) in CheckpointParts(checkpoint.contents).tensors {
        if let piece = checkpoint.pieces?[tensor] { piece.tensor(of: piece.range)?.zero() }
      }
      gate.signal()
      try io.tearDown()
    }.map { $0.map { "\($0)" } ?? "" }
    guard isFull else {
      #expect(errors == ["", "", ""])
      for path in [path, path + "2"] {
        let read = try Checkpoint.open(path)
        #expect(try fingerprint(loaded(.dictionary(read.contents), of: read)) == expected)
      }
      return
    }
    for error in errors { #expect(error.hasPrefix("checkpoint '\(path)': rank 1: "), "\(error)") }
    #expect(folder.names("a.ckpt") == ["latest", "v1"])
    #expect(folder.names() == ["a.ckpt"])
  }

  @Test("A failure of all ranks that a later exchange meets keeps its checkpoint and its rank")
  func failureOfAll() {
    let errors = ThreadRanks.run(3) { ranks in
      let failure = Result {
        _ = try ranks.together("old") { () -> Bool in
          if ranks.rank == 1 { throw CheckpointError(path: "old", reason: "no space") }
          return true
        }
      }
      // Not all ranks need to meet it.
      _ = try ranks.together("new") { () -> Bool in
        if ranks.rank != 1 { try failure.get() }
        return true
      }
    }
    #expect(errors.map { $0.map { "\($0)" } } == Array(repeating: "checkpoint 'old': rank 1: no space", count: 3))
  }

  @Test("What a killed save leaves is no checkpoint, and gone after the next one")
  func interrupted() throws {
    try FileManager.default.createDirectory(atPath: "\(path)/v1", withIntermediateDirectories: true)
    try folder.write(Data("half".utf8), "a.ckpt/v1/rank-00000.safetensors")
    #expect(failure().contains("it holds no complete checkpoint: the save was interrupted"))
    #expect(save(2) == ["", ""])
    #expect(folder.names("a.ckpt") == ["latest", "v2"])
    try FileManager.default.createDirectory(atPath: "\(path)/v3", withIntermediateDirectories: true)
    try folder.write(Data("half".utf8), "a.ckpt/v3/rank-00000.safetensors")
    #expect(try Checkpoint.open(path).epoch == 3)
    #expect(save(1, epoch: 5) == [""])
    #expect(folder.names("a.ckpt") == ["latest", "v4"])
    #expect(try Checkpoint.open(path).epoch == 5)
  }

  @Test("Files that are missing, cut or changed are named")
  func damage() throws {
    #expect(save(3) == ["", "", ""])
    let name = "a.ckpt/v1/rank-00002.safetensors"
    let good = try folder.bytes(name)
    try folder.write(good.prefix(good.count - 1), name)
    #expect(
      failure()
        == "\(folder.path)/\(name): is truncated: it has \(good.count - 1) bytes, the manifest says \(good.count)")
    try FileManager.default.removeItem(atPath: "\(folder.path)/\(name)")
    #expect(failure().contains("\(name): cannot open the file"))
    try folder.write(good, name)
    #expect(failure() == "")
    let manifest = "a.ckpt/v1/manifest.json"
    let json = try folder.bytes(manifest)
    try folder.write(json.dropLast(10), manifest)
    #expect(failure().contains("manifest.json': the manifest is damaged"))
    // What is whole and cannot be true.
    func change(_ old: String, _ new: String) throws {
      let text = ManifestText.unsealed(json)
      #expect(text.contains(old), "\(old) in \(text)")
      try folder.write(ManifestText.sealed(text.replacing(old, with: new, maxReplacements: 1)), manifest)
    }
    try change(#""start":12"#, #""start":13"#)
    #expect(failure().contains("the pieces of 'fc.weight' do not make it up"), "\(failure())")
    try change(#""version":2"#, #""version":9"#)
    #expect(failure().contains("it has version 9 of the format"))
    try folder.write(json, manifest)
    let common = try folder.bytes("a.ckpt/v1/common.ckpt")
    var bad = common
    bad[common.count / 2] ^= 1
    try folder.write(bad, "a.ckpt/v1/common.ckpt")
    #expect(failure().contains("common.ckpt"))
  }

  @Test("A folder with other files is not written into")
  func foreign() throws {
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try folder.write(Data("mine".utf8), "a.ckpt/notes.txt")
    #expect(save(1)[0].contains("the folder holds other files (notes.txt); choose another path"))
    #expect(folder.names("a.ckpt") == ["notes.txt"])
  }

  @Test("Ranks that hold too little, too much or different tensors")
  func disagreement() throws {
    func offer(_ key: String, _ start: Int, _ count: Int, shape: [Int] = [4], dtype: String = "F32")
      -> ShardAssignment.Offer
    {
      .init(key: key, dtype: dtype, shape: shape, start: start, count: count, isPrimary: true, owner: nil)
    }
    func reason(_ offers: [[ShardAssignment.Offer]]) -> String {
      do { _ = try ShardAssignment(offers, path: "p") } catch { return "\(error)" }
      return ""
    }
    #expect(reason([[offer("w", 0, 2)], [offer("w", 2, 2)]]) == "")
    #expect(reason([[offer("w", 0, 2)], [offer("w", 3, 1)]]).contains("no rank holds elements 2..<3 of 'w'"))
    #expect(reason([[offer("w", 0, 2)], []]).contains("no rank holds elements 2..<4 of 'w'"))
    #expect(reason([[offer("w", 0, 3)], [offer("w", 2, 2)]]).contains("overlapping parts of 'w'"))
    #expect(
      reason([[offer("w", 0, 4)], [offer("w", 0, 4, dtype: "F64")]]).contains("'w' is F64 of shape [4] on rank 1"))
  }

  @Test("What several ranks hold they share by bytes; small tensors are not cut")
  func sharing() throws {
    let names = ["a", "b", "c"]
    let sizes = ["a": 10, "b": 1_000_000, "c": 500_000]
    let offers = names.map {
      ShardAssignment.Offer(
        key: $0, dtype: "F32", shape: [sizes[$0]!], start: 0, count: sizes[$0]!, isPrimary: true, owner: nil)
    }
    let assignment = try ShardAssignment([offers, offers, offers], path: "p")
    let counts = assignment.shares.map { $0.reduce(0) { $0 + $1.range.count } }
    #expect(counts.reduce(0, +) == 1_500_010)
    #expect(counts.max()! - counts.min()! <= 10)
    #expect(assignment.shares.flatMap { $0 }.count { $0.entry == 0 } == 1)
  }
}
