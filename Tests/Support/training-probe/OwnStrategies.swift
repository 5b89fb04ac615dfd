import Stratagem

// Subclasses of all built-in strategies, as a program makes and registers them.

/// Counts the steps that a strategy of one's own sees.
private final class StepCounter {
  private var count = 0

  /// Makes a step, which counts when it succeeds.
  func step(_ body: () throws -> Void) rethrows {
    try body()
    count += 1
  }

  /// Ends a run and tells how many steps it had.
  func end(_ strategy: Strategy, _ body: () throws -> Void) rethrows {
    try body()
    if strategy.isGlobalZero { print("\(type(of: strategy)) saw \(count) steps") }
    count = 0
  }
}

/// The registration of the strategies.
enum OwnStrategies {
  static func register() throws {
    let makers: [(String, @Sendable () -> any StrategyDescribing)] = [
      ("own_single_device", { OwnSingleDevice() }), ("own_dp", { OwnDataParallel() }), ("own_ddp", { OwnDDP() }),
      ("own_ddp2", { OwnDDP2() }), ("own_ddp_sharded", { OwnDDPSharded() }), ("own_fsdp", { OwnFSDP() }),
      ("own_horovod", { OwnHorovod() }), ("own_bagua", { OwnBagua() }), ("own_deepspeed", { OwnDeepSpeed() }),
      ("own_deepspeed_stage_1", { OwnDeepSpeed(ofStage: 1) }), ("own_deepspeed_stage_3", { OwnDeepSpeed(ofStage: 3) }),
      ("own_deepspeed_config", { OwnDeepSpeed(zero: 2) }), ("own_inherited", { InheritedDeepSpeed(stage: 1) }),
    ]
    for (name, make) in makers {
      try StrategyRegistry.shared.register(name, summary: "one of the program's own", make: make)
    }
  }
}

final class OwnSingleDevice: SingleDeviceStrategy {
  private let counter = StepCounter()

  init() { super.init() }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnDataParallel: DataParallelStrategy {
  private let counter = StepCounter()

  init() { super.init() }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnDDP: DDPStrategy {
  private let counter = StepCounter()

  init() { super.init(findUnusedParameters: true) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnDDP2: DDP2Strategy {
  private let counter = StepCounter()

  init() { super.init(bucketMegabytes: 1) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnDDPSharded: DDPShardedStrategy {
  private let counter = StepCounter()

  init() { super.init(bucketMegabytes: 1) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnFSDP: FSDPStrategy {
  private let counter = StepCounter()

  init() { super.init(wrapPolicy: .whole) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnHorovod: HorovodStrategy {
  private let counter = StepCounter()

  init() { super.init(fusionThreshold: 0) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnBagua: BaguaStrategy {
  private let counter = StepCounter()

  init() { super.init(algorithm: ByteGrad()) }

  init(named name: String) throws { try super.init(algorithm: name) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

final class OwnDeepSpeed: DeepSpeedStrategy {
  private let counter = StepCounter()

  init() { super.init() }

  init(ofStage stage: Int) { super.init(stage: stage) }

  init(zero stage: Int) { super.init(config: ["zero_optimization": ["stage": .integer(stage)]]) }

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

/// A subclass without initializers has those of its superclass.
final class InheritedDeepSpeed: DeepSpeedStrategy {
  private let counter = StepCounter()

  override func optimizerStep(_ optimizer: Optimizer) throws {
    try counter.step { try super.optimizerStep(optimizer) }
  }

  override func onTrainEnd() throws { try counter.end(self) { try super.onTrainEnd() } }
}

/// A number format of one's own.
final class OwnMixedPrecision: MixedPrecision {
  init() throws { try super.init(.float16Mixed, scaler: GradScaler(initialScale: 64)) }
}

final class OwnTruePrecision: TruePrecision {
  init() throws { try super.init(.float64) }
}
