import Glibc
import Stratagem

/// Keeps the seconds from the start of the process to the end of the first optimizer step, also for a main process that
/// takes no steps itself.
final class StartClock: Callback {
  /// CLOCK_MONOTONIC in nanoseconds, at the moment when the process was started.
  static let variable = "BENCHMARK_STARTED"

  private let started: Double
  private(set) var firstStep = 0.0

  init(started: Double) {
    self.started = started
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    if index == 0, trainer.progress.epoch == 0 { firstStep = sinceStart }
  }

  var sinceStart: Double { Clock.now - started }

  override func carriedState() -> ArchiveDictionary { ["first": .double(firstStep)] }

  override func adopt(_ state: ArchiveDictionary) { firstStep = state["first"]?.doubleValue ?? 0 }
}

/// A short run as a user starts it: data from the file, validation, metrics file and checkpoint.
enum Start {
  static func run(data: DigitsData, devices: Int, strategy: String, temporary: String) throws {
    guard let text = getenv(StartClock.variable), let started = Double(String(cString: text)) else {
      throw UsageError("\(StartClock.variable) is not set: 'start' is started by `benchmarks`")
    }
    let clock = StartClock(started: started * 1e-9)
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(devices), until: .epochs(1), maxSteps: 1,
      callbacks: [clock], output: temporary, progress: .silent)
    try trainer.fit(Digits(logsLoss: true), data)
    guard trainer.isGlobalZero else { return }
    var result = Result()
    result.add("seconds", clock.firstStep)
    result.add("whole", clock.sinceStart)
    result.print()
  }
}
