import Glibc
import Stratagem
import Torch

/// Memory and speed of sharded training.
enum Sharding {
  /// One stage of ZeRO.
  final class StageStrategy: ShardedStrategy {
    private let stage: Int
    init(stage: Int) {
      self.stage = stage
      super.init()
    }
    override var strategyDescription: StrategyDescription {
      StrategyDescription(name: "zero-\(stage)", accelerators: [.cpu], processes: .onePerDevice)
    }
    override func makeShardingOptions() throws -> ShardingOptions {
      ShardingOptions(ShardingOptions.Stage(rawValue: stage) ?? .parameters)
    }
  }

  /// What each rank has when all gradients are there and the optimizer has its state.
  private final class Meter: Callback {
    var bytes = 0
    override func onBeforeOptimizerStep(_ trainer: Trainer, _ optimizer: Optimizer) throws {
      guard let engine = (trainer.strategy as? ShardedStrategy)?.engine else { return }
      bytes = engine.measureState(of: [optimizer]).total
    }
  }

  static func loader(isLarge: Bool, batch: Int, batches: Int, devices: Int) -> DataLoader<[Tensor]> {
    let length = isLarge ? 64 : 128
    let count = batch * batches * devices
    let text = Tensor.randint(0..<256, shape: [count, length + 1])
    return DataLoader(
      TensorDataset(text[.all, ..<length].clone(), text[.all, 1...].clone()), batchSize: batch, dropLast: true)
  }

  private static func fit(
    _ strategy: any StrategyConvertible, devices: Int, isLarge: Bool, batch: Int, steps: Int, _ callbacks: [Callback]
  ) throws -> Trainer {
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(devices), until: .steps(steps), callbacks: callbacks,
      loggers: [], checkpointing: false, progress: .silent)
    try trainer.fit(
      GPT(isLarge: isLarge), train: loader(isLarge: isLarge, batch: batch, batches: steps, devices: devices))
    return trainer
  }

  /// The bytes of model state on the fullest rank against 4, 8 and 4 bytes a parameter for parameters, AdamW's state and
  /// gradients, each divided by the ranks from its stage on.
  static func state(stage: Int, devices: Int) throws {
    let meter = Meter()
    let trainer = try fit(StageStrategy(stage: stage), devices: devices, isLarge: true, batch: 1, steps: 2, [meter])
    guard trainer.isGlobalZero else { return }
    let count = 50_059_008.0
    let ranks = Double(devices)
    let formula = count * (4 / (stage >= 3 ? ranks : 1) + 4 / (stage >= 2 ? ranks : 1) + 8 / ranks)
    var result = Result()
    result.add("mib", Double(meter.bytes) / 1_048_576)
    result.add("formula_mib", formula / 1_048_576)
    result.add("deviation_percent", abs(Double(meter.bytes) / formula - 1) * 100)
    result.print()
  }

  /// The most memory that rank 0 had.
  static func memory(strategy: String, devices: Int) throws {
    let trainer = try fit(strategy, devices: devices, isLarge: true, batch: 1, steps: 4, [])
    guard trainer.isGlobalZero else { return }
    var usage = rusage()
    getrusage(__rusage_who_t(RUSAGE_SELF.rawValue), &usage)
    var result = Result()
    result.add("peak_mib", Double(usage.ru_maxrss) / 1024)
    result.print()
  }

  /// Steps per second of W3, 4 samples per rank.
  static func steps(strategy: String, devices: Int, steps: Int) throws {
    let clock = StepClock(warmup: 3, window: 1, windows: steps)
    let trainer = try fit(
      strategy, devices: devices, isLarge: false, batch: 4, steps: steps + 3, [clock])
    guard trainer.isGlobalZero else { return }
    var result = Result()
    result.add("steps_per_second", 1 / clock.seconds.median)
    result.print()
  }
}
