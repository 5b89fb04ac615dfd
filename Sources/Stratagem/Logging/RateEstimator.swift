import Glibc

/// The present rate of a counter, as an exponential moving average over real time.
///
/// After each observation of Δn events in Δt seconds the average moves by `1 - exp(-Δt/T)` towards Δn/Δt. Dividing by
/// the sum of the weights makes the first observations count fully, as the bias correction of Adam does.
struct RateEstimator: Sendable {
  private let timeConstant: Double
  private var count: Int
  private var time: Double
  private var average = 0.0
  private var weight = 0.0

  /// Begins at `count` at `time` (seconds); an observation loses 63 % of its weight in `timeConstant` seconds.
  init(count: Int, time: Double, timeConstant: Double = 2) {
    self.count = count
    self.time = time
    self.timeConstant = timeConstant
  }

  /// Events per second; `nil` before the first event was observed.
  var rate: Double? { weight > 0 ? average / weight : nil }

  /// Takes note of the counter; observations without a new event extend the interval of the next one.
  mutating func observe(count newCount: Int, time newTime: Double) {
    let (events, interval) = (newCount - count, newTime - time)
    guard events > 0, interval > 0 else { return }
    let share = 1 - exp(-interval / timeConstant)
    average += share * (Double(events) / interval - average)
    weight += share * (1 - weight)
    (count, time) = (newCount, newTime)
  }

  /// Excludes the time since the last observation, in which the counter was not meant to move.
  mutating func resume(count newCount: Int, time newTime: Double) {
    (count, time) = (newCount, newTime)
  }
}
