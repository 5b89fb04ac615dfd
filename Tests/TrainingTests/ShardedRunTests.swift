import Foundation
import Testing
import Torch

@Suite("Runs whose checkpoints all ranks write")
struct ShardedRunTests {
  /// A strategy on a number of ranks.
  struct Place: Sendable, CustomTestStringConvertible {
    let strategy: String
    let ranks: Int
    var testDescription: String { "\(strategy) on \(ranks)" }

    init(_ strategy: String, _ ranks: Int) {
      self.strategy = strategy
      self.ranks = ranks
    }

    /// The same batches of twelve samples, whatever the number of ranks.
    var options: [String] {
      ["strategy=\(strategy)", "train=72", "batch=\(12 / (strategy == "dp" ? 1 : ranks))", "epochs=2", "shuffle"]
        + ["optimizer=adamw", "lr=0.01", "schedule=cosine", "total=12", "val=-1"]
    }
  }

  /// The step in the middle of the second epoch at which runs are interrupted.
  static let stop = 8

  @Test("To the bit on as many ranks: weights, metrics, random numbers", arguments: [1, 2, 3])
  func toTheBit(ranks: Int) throws {
    let options = [
      "train=36", "batch=4", "epochs=2", "optimizer=adamw", "lr=0.01", "schedule=cosine", "dropout=0.5", "shuffle",
      "state=sharded",
    ]
    let whole = try ProbeRun("fit", ranks, options: options).succeeded()
    let part = try ProbeRun("fit", ranks, options: options + ["steps=\(9 / ranks + 1)"]).succeeded()
    let folder = "checkpoints/last.ckpt"
    let version = part.folder.text(folder + "/latest").trimmingCharacters(in: .newlines)
    #expect(part.folder.names(in: folder) == ["latest", version])
    let files = (0..<ranks).map { "rank-0000\($0).safetensors" }
    #expect(part.folder.names(in: "\(folder)/\(version)") == ["common.ckpt", "manifest.json"] + files)
    let rest = try ProbeRun(
      "fit", ranks, options: options + ["resume=\(part.folder.path)/\(folder)"], folder: part.folder
    ).succeeded()
    #expect(rest.weightSums == whole.weightSums)
    #expect(Set(rest.weightSums).count == 1 && rest.weightSums.count == ranks)
    #expect(rest.folder.text("metrics.csv") == whole.folder.text("metrics.csv"))
  }

  @Test("Single files and folders in the place of each other")
  func otherForm() throws {
    let place = Place("ddp", 2)
    let whole = try ProbeRun("fit", 2, options: place.options).succeeded()
    for (first, second) in [("sharded", "full"), ("full", "sharded")] {
      let part = try ProbeRun("fit", 2, options: place.options + ["steps=\(Self.stop)", "state=\(first)"]).succeeded()
      let path = "\(part.folder.path)/checkpoints/last.ckpt"
      let rest = try ProbeRun(
        "fit", 2, options: place.options + ["resume=\(path)", "state=\(second)"], folder: part.folder
      ).succeeded()
      #expect(rest.weightSums == whole.weightSums)
      // The run went on with the same name, in the other form.
      #expect(rest.folder.names(in: "checkpoints/last.ckpt").isEmpty == (second == "full"))
      #expect(rest.folder.names(in: "checkpoints") == ["last.ckpt"])
    }
  }

  @Test("The best are kept and the others removed, and words find them", arguments: [1, 2])
  func best(ranks: Int) throws {
    let run = try ProbeRun(
      "words", ranks, "monitor=train/sum_epoch", "keep=2", "train=24", "batch=6", "epochs=4", "state=sharded"
    ).succeeded()
    let names = run.folder.names(in: "checkpoints")
    #expect(names.count == 3 && names.contains("last.ckpt"), "\(names)")
    for name in names { #expect(run.folder.names(in: "checkpoints/\(name)").contains("latest"), "\(name)") }
    #expect(run.run.output.contains("best ") && run.run.output.contains("last "))
    #expect(!run.run.output.contains("nan"))
  }

  @Test("Processes that were spawned or forked write together, too", arguments: ["ddp_spawn", "ddp_fork"])
  func startMethods(strategy: String) throws {
    let place = Place(strategy, 2)
    let part = try ProbeRun("fit", 2, options: place.options + ["steps=\(Self.stop)", "state=sharded"]).succeeded()
    let folder = "checkpoints/last.ckpt"
    let version = part.folder.text(folder + "/latest").trimmingCharacters(in: .newlines)
    #expect(part.folder.names(in: "\(folder)/\(version)").contains("rank-00001.safetensors"))
    let whole = try ProbeRun("fit", 2, options: Place("ddp", 2).options).succeeded()
    let rest = try ProbeRun("fit", 2, options: place.options + ["resume=\(part.folder.path)/\(folder)"]).succeeded()
    #expect(Set(rest.weightSums).subtracting(whole.weightSums).isEmpty, "\(rest.weightSums)")
  }

  @Test("A rank killed while it saves: the checkpoint before is loaded", arguments: ["ddp", "fsdp", "deepspeed"])
  func killed(strategy: String) throws {
    let options = ["train=72", "batch=6", "epochs=1", "every-steps=2", "state=sharded", "optimizer=adamw"]
    let run = try ProbeRun("fit", 2, options: options + ["save=2", "rank=1", "strategy=killed-\(strategy)"])
    #expect(run.status != 0)
    #expect(run.run.errors.contains("rank 1"), "\(run.run.errors)")
    let folder = "checkpoints/last.ckpt"
    #expect(run.folder.text(folder + "/latest") == "v1\n")
    #expect(run.folder.names(in: folder).count >= 2)
    let own = options.filter { $0 != "every-steps=2" } + ["strategy=\(strategy)"]
    let rest = try ProbeRun(
      "fit", 2, options: own + ["resume=\(run.folder.path)/\(folder)"], folder: run.folder
    ).succeeded()
    let whole = try ProbeRun("fit", 2, options: own).succeeded()
    #expect(rest.weightSums == whole.weightSums)
    // The next save has removed what the killed one left.
    #expect(rest.folder.names(in: folder).count == 2)
  }

  @Test(
    "Bad input fails on all ranks with one error that names the file, and nothing is loaded",
    arguments: [("single_device", 1), ("ddp", 2), ("fsdp", 2)])
  func damage(strategy: String, ranks: Int) throws {
    let common = ["strategy=\(strategy)", "optimizer=adamw"]
    let run = try ProbeRun("fit", ranks, options: common + ["epochs=1", "state=sharded"]).succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    func failure(_ path: String, _ options: String...) throws -> String {
      let resumed = try ProbeRun(
        "fit", ranks, options: common + ["epochs=2", "resume=\(path)", "checkpoints=no"] + options)
      #expect(resumed.status == 1)
      #expect(resumed.run.errorLines.count { $0.hasPrefix("Error: ") } == 1, "\(resumed.run.errors)")
      return resumed.failure
    }
    // One that not all ranks read where each has its part.
    let name = "checkpoints/last.ckpt/v1/rank-0000\(ranks - 1).safetensors"
    let good = try #require(run.folder.bytes(name))
    var bad = good
    bad[good.count - 3] ^= 16
    let url = URL(filePath: "\(run.folder.path)/\(name)")
    try bad.write(to: url)
    // A program that catches the error goes on with the weights that it began with.
    let untouched = try ProbeRun("compare-after-failure", ranks, options: common + ["resume=\(path)"])
    #expect(untouched.run.outputLines.last == "weights are untouched", "\(untouched.run)")
    #expect(try failure(path).contains("\(name): is damaged: the checksum of bytes 0..<\(good.count) does not match"))
    try good.prefix(good.count / 2).write(to: url)
    #expect(try failure(path).contains("\(name): is truncated"))
    try FileManager.default.removeItem(at: url)
    #expect(try failure(path).contains("\(name): cannot open the file"))
    try good.write(to: url)
    let other = try failure(path, "model=other")
    #expect(other.contains("checkpoint '\(path)': ") && other.contains("it is of another model than OtherModel."))
    #expect(other.contains("missing: head.weight") && other.contains("unexpected: fc2.weight"))
    #expect(try failure(run.folder.path).contains("the folder is no checkpoint"))
    try ProbeRun(
      "fit", ranks, options: common + ["epochs=2", "resume=\(path)/v1/manifest.json", "checkpoints=no"]
    ).succeeded()
  }

  @Test(
    "Every rank that holds parts hears of a damaged file, and has the whole weights that it began with",
    arguments: [
      ("ddp_sharded", 2), ("fsdp", 3), ("deepspeed_stage_1", 2), ("deepspeed_stage_2", 3), ("deepspeed_stage_3", 2),
    ])
  func damagedParts(strategy: String, ranks: Int) throws {
    let common = ["strategy=\(strategy)", "optimizer=adamw"]
    let run = try ProbeRun("fit", ranks, options: common + ["epochs=1", "state=sharded"]).succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    // That of the last rank: the others read their own, which are good.
    let name = "checkpoints/last.ckpt/v1/rank-0000\(ranks - 1).safetensors"
    let url = URL(filePath: "\(run.folder.path)/\(name)")
    func expectFailure(_ words: String, _ options: String...) throws {
      let failed = try ProbeRun("compare-after-failure", ranks, options: common + ["resume=\(path)"] + options)
      #expect(failed.status == 0 && failed.run.outputLines.last == "weights are untouched", "\(failed.run)")
      #expect(failed.run.output.contains(words), "\(failed.run)")
      guard options.contains("watch") else { return }
      let answers = failed.folder.names().filter { ["untouched", "changed", "gone"].contains($0.prefix { $0 != "." }) }
      #expect(answers == (0..<ranks).map { "untouched.\($0)" }, "\(failed.run)")
    }
    let good = try #require(run.folder.bytes(name))
    var bad = good
    bad[good.count - 3] ^= 16
    try bad.write(to: url)
    try expectFailure("\(name): is damaged: the checksum", "watch")
    try good.prefix(good.count / 2).write(to: url)
    try expectFailure("\(name): is truncated")
    try FileManager.default.removeItem(at: url)
    try expectFailure("\(name): cannot open the file")
    try good.write(to: url)
    try expectFailure("it is of another model than OtherModel", "watch", "model=other")
  }

  @Test("A damaged tensor in a single file, of which each rank reads a part", arguments: ["fsdp", "deepspeed_stage_2"])
  func damagedFile(strategy: String) throws {
    let common = ["strategy=\(strategy)", "optimizer=adamw"]
    let run = try ProbeRun("fit", 2, options: common + ["epochs=1"]).succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let weights = try CheckpointFile(path).weights()
    var bytes = try #require(run.folder.bytes("checkpoints/last.ckpt"))
    for name in ["fc1.bias", "fc2.weight"] {
      let values = try #require(weights.first { $0.name == name }).values.map { Float($0) }
      let place = try #require(bytes.range(of: values.withUnsafeBytes { Data($0) }))
      bytes[place.lowerBound + place.count / 2] ^= 16
      try bytes.write(to: URL(filePath: path))
      let failed = try ProbeRun("compare-after-failure", 2, options: common + ["resume=\(path)", "watch"])
      #expect(failed.run.outputLines.last == "weights are untouched", "\(name): \(failed.run)")
      #expect(failed.run.output.contains("last.ckpt: is damaged in record 'archive/data/"), "\(name): \(failed.run)")
      #expect(failed.folder.names().filter { $0.hasPrefix("untouched.") }.count == 2, "\(name): \(failed.run)")
      bytes[place.lowerBound + place.count / 2] ^= 16
    }
  }

  @Test(
    "A full disk: an error that names rank and file, and the version before loads",
    arguments: [("fsdp", 3), ("deepspeed_stage_3", 2)])
  func fullDisk(strategy: String, ranks: Int) throws {
    let common = ["strategy=\(strategy)", "optimizer=adamw", "state=sharded"]
    let run = try ProbeRun("fit", ranks, options: common + ["epochs=1"]).succeeded()
    let folder = "checkpoints/last.ckpt"
    let path = "\(run.folder.path)/\(folder)"
    // Files may grow to 1024 bytes: enough for the metrics, too little for a checkpoint.
    let full = try ProbeRun(
      "fit", ranks, options: common + ["epochs=2", "resume=\(path)"], folder: run.folder,
      shell: "ulimit -f 1")
    #expect(full.status == 1)
    #expect(full.failure.contains("checkpoint '\(path)': rank 0: "), "\(full.run.errors)")
    #expect(full.failure.contains("v2/common.ckpt: cannot be written: File too large"), "\(full.run.errors)")
    #expect(run.folder.text(folder + "/latest") == "v1\n")
    try ProbeRun("fit", ranks, options: common + ["epochs=2", "resume=\(path)"]).succeeded()
  }

  @Test("What writes files on rank 0 does not go together with ranks that all write")
  func otherWriter() throws {
    let run = try ProbeRun("fit", 2, "epochs=1", "state=sharded", "async=slow")
    #expect(run.status == 1)
    #expect(run.failure.contains("SlowCheckpointIO writes what rank 0 holds, but stateDictType: .sharded"))
  }
}
