import CFloor
import Glibc
import Stratagem
import StratagemLoggers

/// What a step of the digits MLP costs in a C++ loop, in a Swift loop, and in the Trainer, bare and with loggers.
struct Overhead {
  /// Two epochs of 46 steps: what comes once an epoch is in the measurement.
  static let window = 92
  static let warmup = 92

  let data: DigitsData
  let windows: Int
  let temporary: String

  func measure(rounds: Int) throws -> Result {
    try data.load()
    var floor: [Double] = []
    var bare: [Double] = []
    var lean: [Double] = []
    var logging: [Double] = []
    var both: [Double] = []
    for round in 0...rounds {
      let times = try [
        floorLoop(), bareLoop(), trainer(loggers: []), trainer(loggers: [CSVLogger(temporary)]),
        trainer(loggers: [CSVLogger(temporary), TensorBoardLogger(temporary)]),
      ].map(\.median)
      if round == 0 { continue }
      floor.append(times[0])
      bare.append(times[1])
      lean.append(times[2])
      logging.append(times[3])
      both.append(times[4])
    }
    var result = Result()
    result.add("cxx_us", floor.median * 1e6)
    result.add("bare_us", bare.median * 1e6)
    result.add("trainer_us", lean.median * 1e6)
    result.add("logging_us", logging.median * 1e6)
    result.add("both_us", both.median * 1e6)
    result.add("bare_over_cxx_us", zip(bare, floor).map { $0 - $1 }.median * 1e6)
    result.add("trainer_over_bare_us", zip(lean, bare).map { $0 - $1 }.median * 1e6)
    result.add("logging_over_bare_us", zip(logging, bare).map { $0 - $1 }.median * 1e6)
    result.add("both_over_trainer_us", zip(both, lean).map { $0 - $1 }.median * 1e6)
    return result
  }

  func floorLoop() throws -> [Double] {
    guard let tensors = data.training?.tensors else { return [] }
    let images = try tensors[0].array(as: Float.self)
    let labels = try tensors[1].array(as: Int64.self)
    var seconds = [Double](repeating: 0, count: windows)
    _ = floor_train(images, labels, labels.count, 32, Self.warmup, Self.window, windows, &seconds, nil)
    return seconds.map { $0 / Double(Self.window) }
  }

  /// The loop that the Trainer is held against: nothing but slices, model and optimizer.
  func bareLoop() throws -> [Double] {
    guard let dataset = data.training else { return [] }
    let model = Digits()
    let optimizer = model.makeOptimizer()
    let clock = StepClock(warmup: Self.warmup, window: Self.window, windows: windows)
    let batches = (0..<dataset.count / 32).map { Array($0 * 32..<($0 + 1) * 32) }
    for step in 0..<Self.warmup + windows * Self.window {
      let batch = try dataset.batch(batches[step % batches.count])
      optimizer.zeroGradients()
      let loss = model.loss(batch)
      loss.backward()
      optimizer.step()
      clock.tick()
    }
    return clock.seconds
  }

  /// Seconds of a step.
  ///
  /// - Parameter loggers: without any, the model does not call `log` either.
  func trainer(
    loggers: [any MetricLogger], strategy: String = "single_device", devices: Int = 1
  ) throws -> [Double] {
    let clock = StepClock(warmup: Self.warmup, window: Self.window, windows: windows)
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(devices),
      until: .steps(Self.warmup + windows * Self.window), callbacks: [clock], loggers: loggers,
      checkpointing: false, output: temporary, progress: .silent)
    try trainer.fit(Digits(logsLoss: !loggers.isEmpty), data)
    return clock.seconds
  }

  /// Where the time of the loops goes, in microseconds a step; the marks in between cost some themselves.
  func profile() throws -> Result {
    try data.load()
    var result = Result()
    let names = ["data", "forward", "zero", "backward", "optimizer"]
    var parts = [Double](repeating: 0, count: 5)
    guard let dataset = data.training else { return result }
    let images = try dataset.tensors[0].array(as: Float.self)
    let labels = try dataset.tensors[1].array(as: Int64.self)
    var seconds = [Double](repeating: 0, count: windows)
    _ = floor_train(images, labels, labels.count, 32, Self.warmup, Self.window, windows, &seconds, &parts)
    let steps = Double(windows * Self.window)
    for (name, part) in zip(names, parts) { result.add("cxx_\(name)_us", part / steps * 1e6) }

    let model = Digits()
    let optimizer = model.makeOptimizer()
    let batches = (0..<dataset.count / 32).map { Array($0 * 32..<($0 + 1) * 32) }
    parts = [0, 0, 0, 0, 0]
    var last = Clock.now
    func mark(_ part: Int) {
      let now = Clock.now
      parts[part] += now - last
      last = now
    }
    for step in 0..<Self.warmup + windows * Self.window {
      if step == Self.warmup {
        parts = [0, 0, 0, 0, 0]
        last = Clock.now
      }
      let batch = try dataset.batch(batches[step % batches.count])
      mark(0)
      let loss = model.loss(batch)
      mark(1)
      optimizer.zeroGradients()
      mark(2)
      loss.backward()
      mark(3)
      optimizer.step()
      mark(4)
    }
    for (name, part) in zip(names, parts) { result.add("swift_\(name)_us", part / steps * 1e6) }
    return result
  }
}
