import Glibc
import Stratagem

/// DDP with a rank that is killed in the middle of a save: after it wrote its file, before the ranks agree that all have.
final class KilledInSave: DDPStrategy {
  private let options: ProbeOptions
  private var saves = 0
  private var calls: Int?

  init(_ options: ProbeOptions) {
    self.options = options
    super.init()
  }

  override func save(_ checkpoint: Checkpoint, to paths: [String], options: [String: String]) throws {
    saves += 1
    if saves == self.options.int("save", 1), rank == self.options.int("rank", 0) { calls = 0 }
    defer { calls = nil }
    try super.save(checkpoint, to: paths, options: options)
  }

  override func allGather<Value: Codable>(object value: Value) throws -> [Value] {
    if let calls {
      if calls == 1 { raise(SIGKILL) }
      self.calls = calls + 1
    }
    return try super.allGather(object: value)
  }
}
