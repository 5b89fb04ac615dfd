import Glibc
import Stratagem

/// Prints the seconds from the start of the process to the end of the first optimizer step.
final class StartClock: Callback {
  /// CLOCK_MONOTONIC in nanoseconds, at the moment when the process was started.
  static let variable = "BENCHMARK_STARTED"

  private let started: Double

  init(started: Double) {
    self.started = started
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    guard trainer.isGlobalZero, index == 0, trainer.progress.epoch == 0 else { return }
    var result = Result()
    result.add("seconds", Clock.now - started)
    result.print()
  }
}

/// A short run as a user starts it: data from the file, validation, metrics file and checkpoint.
enum Start {
  static func run(data: DigitsData, devices: Int, temporary: String) throws {
    guard let text = getenv(StartClock.variable), let started = Double(String(cString: text)) else {
      throw UsageError("\(StartClock.variable) is not set: 'start' is started by `benchmarks`")
    }
    let trainer = try Trainer(
      strategy: devices == 1 ? "single_device" : "ddp", accelerator: "cpu", devices: .count(devices),
      until: .epochs(1), maxSteps: 1, callbacks: [StartClock(started: started * 1e-9)], output: temporary,
      progress: .silent)
    try trainer.fit(Digits(logsLoss: true), data)
  }
}
