import Testing

@testable import Stratagem

@Suite struct ProgressTrackerTests {
  private func sample(_ tracker: inout ProgressTracker, _ time: Double) -> [ProgressSnapshot] {
    var snapshots: [ProgressSnapshot] = []
    tracker.sample(at: time, into: &snapshots)
    return snapshots
  }

  @Test func rateIsAnAverageOverRealTime() throws {
    var rate = RateEstimator(count: 0, time: 10, timeConstant: 2)
    #expect(rate.rate == nil)
    rate.observe(count: 50, time: 10.5)
    #expect(abs(try #require(rate.rate) - 100) < 1e-9)
    // Without news the interval of the next observation grows.
    rate.observe(count: 50, time: 11)
    rate.observe(count: 50, time: 10.9)
    #expect(abs(try #require(rate.rate) - 100) < 1e-9)
    // 40 in one second: weights exp(-1/2) of the old, 1 - exp(-1/2) of the new, over 1 - exp(-3/4).
    rate.observe(count: 90, time: 11.5)
    // = 55.2565 by hand.
    #expect(abs(try #require(rate.rate) - 55.2565) < 0.0005)
    for tick in 1...200 { rate.observe(count: 90 + tick * 3, time: 11.5 + Double(tick) * 0.1) }
    #expect(abs(try #require(rate.rate) - 30) < 0.01)
  }

  @Test func estimatesFollowTheRate() {
    var tracker = ProgressTracker()
    #expect(!tracker.isActive && sample(&tracker, 0).isEmpty)
    tracker.start(.train, total: 40, epoch: 1, totalEpochs: 4, completed: 20, at: 100)
    tracker.setMetric("loss", 3)
    tracker.advance(to: 30)
    tracker.setMetric("loss", 2)
    tracker.setMetric("lr", 1)
    let snapshot = sample(&tracker, 101)[0]
    #expect(abs(snapshot.rate! - 10) < 1e-9)
    #expect(abs(snapshot.remaining! - 1) < 1e-9)
    // 10 batches took a second; 10 + 2 * 40 are left.
    #expect(abs(snapshot.runRemaining! - 9) < 1e-9)
    #expect(snapshot.elapsed == 1)
    #expect(snapshot.metrics.map(\.name) == ["loss", "lr"])
    #expect(snapshot.metrics.map(\.value) == [2, 1])
  }

  @Test func theEpochsClockStandsStillDuringValidation() throws {
    var tracker = ProgressTracker()
    tracker.start(.train, total: 20, epoch: 0, totalEpochs: 2, completed: 0, at: 0)
    tracker.advance(to: 10)
    _ = sample(&tracker, 1)
    tracker.start(.validation, total: 4, epoch: 0, totalEpochs: nil, completed: 0, at: 1)
    tracker.advance(to: 2)
    let both = sample(&tracker, 5)
    #expect(both.map(\.completed) == [10, 2])
    #expect(both.map(\.elapsed) == [1, 4])
    #expect(both[1].rate == 0.5 && both[1].remaining == 4)
    #expect(both[0].runRemaining == 15)
    #expect(tracker.finish(at: 9) == nil)
    tracker.advance(to: 20)
    #expect(abs(sample(&tracker, 10)[0].rate! - 10) < 1e-9)
    let ended = tracker.finish(at: 10)
    let last = try #require(ended)
    #expect(last.elapsed == 2 && last.rate == 10 && last.isFinished && last.completed == 20)
    #expect(!tracker.isActive && tracker.finish(at: 11) == nil)
  }

  @Test func metricsStayAcrossEpochsUntilRemoved() {
    var tracker = ProgressTracker()
    tracker.start(.train, total: nil, epoch: 0, totalEpochs: nil, completed: 0, at: 0)
    tracker.setMetric("val/loss", 1)
    #expect(tracker.finish(at: 1)?.metrics.count == 1)
    tracker.start(.train, total: nil, epoch: 1, totalEpochs: nil, completed: 0, at: 1)
    #expect(sample(&tracker, 2)[0].metrics.count == 1)
    tracker.removeMetrics()
    #expect(sample(&tracker, 2)[0].metrics.isEmpty)
  }

  @Test func anEpochAfterAnotherIsNotNested() {
    var tracker = ProgressTracker()
    tracker.start(.train, total: 5, epoch: 0, totalEpochs: 2, completed: 0, at: 0)
    tracker.start(.train, total: 5, epoch: 1, totalEpochs: 2, completed: 0, at: 0)
    #expect(sample(&tracker, 1).map(\.epoch) == [1])
  }
}
