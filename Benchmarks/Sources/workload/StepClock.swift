import Stratagem

/// Reads the time after every window of steps, once the warm-up is over.
final class StepClock: Callback {
  private let warmup: Int
  private let window: Int
  private var step = 0
  private var readings: [Double] = []

  init(warmup: Int, window: Int, windows: Int) {
    self.warmup = warmup
    self.window = window
    readings.reserveCapacity(windows + 1)
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws { tick() }

  func tick() {
    step += 1
    if step >= warmup && (step - warmup) % window == 0 { readings.append(Clock.now) }
  }

  /// The seconds per step of each window.
  var seconds: [Double] { zip(readings, readings.dropFirst()).map { ($1 - $0) / Double(window) } }
}
