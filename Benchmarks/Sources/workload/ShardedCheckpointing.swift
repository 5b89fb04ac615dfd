import Glibc
import Stratagem
import Torch

/// A sharded checkpoint of a gigabyte: how fast it is written against plain writing of as many bytes, and how much memory
/// loading it takes against the share that a rank needs of it.
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
    result.add("plain_mb_s", Double(meter.byteCount) / 1e6 / Array(meter.plain.dropFirst()).median)
    result.add("sharded_mb_s", Double(meter.byteCount) / 1e6 / Array(meter.sharded.dropFirst()).median)
    result.add("rate_ratio", zip(meter.plain, meter.sharded).dropFirst().map { $0 / $1 }.median)
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

/// After every step writes the bytes of the state into a plain file, and the state as a checkpoint.
private final class ShardedMeter: Callback {
  private let path: String
  private(set) var plain: [Double] = []
  private(set) var sharded: [Double] = []
  private(set) var byteCount = 0

  init(_ path: String) { self.path = path }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    // The whole state, whatever part of it this rank has: weights, and two moments of each.
    byteCount = 3 * 80 * (1024 * 1024 + 1024) * 4
    if trainer.isGlobalZero { plain.append(try PlainFile.seconds(path + ".plain", byteCount)) }
    try trainer.strategy.barrier()
    sharded.append(try Clock.seconds { try trainer.saveCheckpoint(to: path) })
  }
}

/// Bytes that go to the disk without further ado.
private enum PlainFile {
  static func seconds(_ path: String, _ byteCount: Int) throws -> Double {
    let piece = [UInt8](repeating: 7, count: 8 << 20)
    let time = Clock.seconds {
      let file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0o666)
      var rest = byteCount
      while rest > 0 {
        let count = write(file, piece, min(piece.count, rest))
        guard count > 0 else { break }
        rest -= count
      }
      fsync(file)
      close(file)
    }
    unlink(path)
    return time
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
