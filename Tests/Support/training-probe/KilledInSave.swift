import Glibc
import Stratagem

/// Kills a rank in the middle of a save, after it wrote its file, before the ranks agree that all have.
private final class SaveKiller {
  private let options: ProbeOptions
  private var saves = 0
  private var calls: Int?

  init(_ options: ProbeOptions) { self.options = options }

  func during(_ strategy: Strategy, _ save: () throws -> Void) throws {
    saves += 1
    if saves == options.int("save", 1), strategy.rank == options.int("rank", 0) { calls = 0 }
    defer { calls = nil }
    try save()
  }

  func willGather() {
    guard let calls else { return }
    if calls == 1 { raise(SIGKILL) }
    self.calls = calls + 1
  }
}

/// DDP with such a rank.
final class KilledDDP: DDPStrategy {
  private let killer: SaveKiller

  init(_ options: ProbeOptions) {
    killer = SaveKiller(options)
    super.init()
  }

  override func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    try killer.during(self) { try super.save(checkpoint, to: paths, options: options) }
  }

  override func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    killer.willGather()
    return try super.allGather(object: value)
  }
}

/// FSDP with such a rank.
final class KilledFSDP: FSDPStrategy {
  private let killer: SaveKiller

  init(_ options: ProbeOptions) {
    killer = SaveKiller(options)
    super.init()
  }

  override func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    try killer.during(self) { try super.save(checkpoint, to: paths, options: options) }
  }

  override func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    killer.willGather()
    return try super.allGather(object: value)
  }
}

/// ZeRO, stage 2, with such a rank.
final class KilledDeepSpeed: DeepSpeedStrategy {
  private let killer: SaveKiller

  init(_ options: ProbeOptions) {
    killer = SaveKiller(options)
    super.init(options: DeepSpeedOptions(stage: 2))
  }

  override func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    try killer.during(self) { try super.save(checkpoint, to: paths, options: options) }
  }

  override func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    killer.willGather()
    return try super.allGather(object: value)
  }
}
