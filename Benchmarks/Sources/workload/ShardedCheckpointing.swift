import CFloor
import Glibc
import Stratagem
import Torch

/// A sharded checkpoint of a gigabyte: how fast it is written against what the disk takes of as many bytes, written as
/// `dd bs=8M conv=fsync` writes them, with and without `oflag=direct`; and how much memory loading it takes against the share
/// that a rank needs of it.
enum ShardedCheckpointing {
  static func measure(strategy: String, devices: Int, rounds: Int, temporary: String) throws {
    let path = temporary + "/sharded-benchmark.ckpt"
    let meter = ShardedMeter(path)
    func trainer(_ callback: Callback) throws -> Trainer {
      try Trainer(
        strategy: strategy, accelerator: "cpu", devices: .count(devices), until: .steps(rounds + 1),
        callbacks: [callback], loggers: [], checkpointing: false, stateDictType: .sharded, output: temporary,
        progress: .silent)
    }
    let first = try trainer(meter)
    try first.fit(WideNet(), train: WideNet.loader(batches: rounds + 1))
    let memory = MemoryMeter()
    let second = try trainer(memory)
    let model = WideNet()
    model.willRestore = { memory.begin() }
    try second.fit(model, train: WideNet.loader(batches: rounds + 1), resumeFrom: path)
    guard first.isGlobalZero else { return }
    var result = Result()
    result.add("megabytes", Double(meter.byteCount) / 1e6)
    let megabytes = Double(meter.byteCount) / 1e6
    result.add("cached_mb_s", megabytes / Array(meter.cached.dropFirst()).median)
    result.add("direct_mb_s", megabytes / Array(meter.direct.dropFirst()).median)
    // What the disk can do is the faster way to write to it.
    let disk = zip(meter.cached, meter.direct).map { min($0, $1) }
    result.add("disk_mb_s", megabytes / Array(disk.dropFirst()).median)
    result.add("sharded_mb_s", megabytes / Array(meter.sharded.dropFirst()).median)
    result.add("rate_ratio", zip(disk, meter.sharded).dropFirst().map { $0 / $1 }.median)
    result.add("share_mb", Double(memory.share) / 1e6)
    result.add("peak_mb", Double(memory.peak) / 1e6)
    result.add("memory_ratio", Double(memory.peak) / Double(memory.share))
    result.print()
  }
}

/// 84 million parameters, which AdamW triples: a gigabyte.
private final class WideNet: LightningModule<Tensor> {
  let layers = ModuleList((0..<80).map { _ in Linear(1024, 1024) })
  /// Called when everything but the values of the checkpoint is in memory.
  var willRestore: () -> Void = {}

  override func trainingStep(_ batch: Tensor, at index: Int) throws -> StepOutput {
    .loss(layers.reduce(batch) { $1($0) }.square().mean())
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 1e-4)) }

  override func onLoadCheckpoint(_ checkpoint: inout Checkpoint) throws { willRestore() }

  static func loader(batches: Int) -> DataLoader<Tensor> {
    DataLoader(TensorDataset(Tensor.randn([16 * batches, 1024])).map { $0[0] }, batchSize: 4)
  }
}

/// After every step writes the bytes of the state into plain files, and the state as a checkpoint.
private final class ShardedMeter: Callback {
  private let path: String
  /// Seconds through the page cache, past it, and of the checkpoint.
  private(set) var cached: [Double] = []
  private(set) var direct: [Double] = []
  private(set) var sharded: [Double] = []
  private(set) var byteCount = 0

  init(_ path: String) { self.path = path }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    // The whole state, whatever part of it this rank has: weights, and two moments of each.
    byteCount = 3 * 80 * (1024 * 1024 + 1024) * 4
    if trainer.isGlobalZero {
      // The space of the checkpoint before is given back in the background, which is not to slow down the plain files.
      sleep(1)
      direct.append(PlainFile.seconds(path + ".plain", byteCount, isDirect: true))
      cached.append(PlainFile.seconds(path + ".plain", byteCount, isDirect: false))
    }
    try trainer.strategy.barrier()
    sharded.append(try Clock.seconds { try trainer.saveCheckpoint(to: path) })
  }
}

/// Bytes that go to the disk without further ado.
private enum PlainFile {
  /// - Parameter isDirect: whether they go past the page cache.
  /// - Returns: infinity where they cannot be written.
  static func seconds(_ path: String, _ byteCount: Int, isDirect: Bool) -> Double {
    let piece = UnsafeMutableRawBufferPointer.allocate(byteCount: 8 << 20, alignment: 4096)
    defer { piece.deallocate() }
    memset(piece.baseAddress!, 7, piece.count)
    var isComplete = true
    let time = Clock.seconds {
      let file = isDirect ? floor_open_direct(path) : open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      // Whole pieces, as direct writes want them.
      for _ in 0..<(byteCount + piece.count - 1) / piece.count where isComplete {
        isComplete = write(file, piece.baseAddress, piece.count) == piece.count
      }
      fsync(file)
      close(file)
    }
    unlink(path)
    return isComplete ? time : .infinity
  }
}

/// The most memory that is in use while a checkpoint is loaded, beyond what was in use before.
private final class MemoryMeter: Callback {
  private var before = 0
  private(set) var peak = 0
  private(set) var share = 0

  /// Forgets the largest amount so far.
  func begin() {
    let file = open("/proc/self/clear_refs", O_WRONLY)
    _ = write(file, "5", 1)
    close(file)
    before = Self.kilobytes("VmRSS:")
  }

  override func onFitStart(_ trainer: Trainer) {
    peak = (Self.kilobytes("VmHWM:") - before) * 1024
    var bytes = trainer.strategy.parameters.reduce(0) { $0 + $1.tensor.byteCount }
    for optimizer in trainer.strategy.optimizers {
      for group in optimizer.parameterGroups {
        for position in group.parameters.indices {
          bytes += optimizer.state(of: position, in: group).reduce(0) { $0 + ($1.value.tensorValue?.byteCount ?? 0) }
        }
      }
    }
    share = bytes
  }

  private static func kilobytes(_ name: String) -> Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, 256, file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix(name) {
        return text.split(separator: " ").compactMap { Int($0) }.first ?? Int(text.filter(\.isNumber)) ?? 0
      }
    }
    return 0
  }
}
