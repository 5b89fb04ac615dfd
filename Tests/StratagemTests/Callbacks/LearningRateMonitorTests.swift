import Testing

@testable import Stratagem

@Suite struct LearningRateMonitorTests {
  private let layers = (0..<4).map { _ in Linear(2, 2) }

  @Test func ratesAreNamedAfterTheirOptimizers() {
    let optimizers: [Optimizer] = [
      SGD(layers[0], learningRate: 1), AdamW(layers[1], learningRate: 1), SGD(layers[2], learningRate: 1),
      SGD(layers[3], learningRate: 1),
    ]
    #expect(LearningRateMonitor.names(optimizers, []).map(\.name) == ["lr-SGD", "lr-AdamW", "lr-SGD-1", "lr-SGD-2"])
    let schedule = OptimizerPlan.Schedule(StepLR(optimizers[2], stepSize: 1), name: "warm-up")
    #expect(
      LearningRateMonitor.names(optimizers, [schedule]).map(\.name) == ["lr-SGD", "lr-AdamW", "warm-up", "lr-SGD-1"])
  }
}
