import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

/// DeepSpeed's schedules, against numbers worked out by hand from their formulas.
struct WarmupScheduleTests {
  private func optimizer(_ learningRate: Double = 0.1) -> Adam {
    Adam([Parameter(wrappedValue: Tensor.zeros([2]))], learningRate: learningRate)
  }

  /// The learning rates of the first `count` steps.
  private func rates(_ schedule: LearningRateSchedule, _ count: Int) -> [Double] {
    (0..<count).map { _ in
      defer { schedule.step() }
      return schedule.lastLearningRates[0]
    }
  }

  private func expect(_ found: [Double], _ expected: [Double]) {
    #expect(found.count == expected.count)
    for (step, (found, expected)) in zip(found, expected).enumerated() {
      #expect(abs(found - expected) < 1e-12, "step \(step): \(found) instead of \(expected)")
    }
  }

  @Test func warmUpInAStraightLine() {
    let schedule = WarmupLR(optimizer(), minimum: 0.02, maximum: 0.1, warmUpSteps: 4, shape: .linear)
    expect(rates(schedule, 8), [0.02, 0.02, 0.04, 0.06, 0.08, 0.1, 0.1, 0.1])
  }

  @Test func warmUpAlongALogarithmToTheRateOfTheOptimizer() {
    let schedule = WarmupLR(optimizer(0.4), warmUpSteps: 4)
    expect(rates(schedule, 7), [0, 0, 0.2, 0.4 * log(3.0) / log(4.0), 0.4, 0.4, 0.4])
  }

  @Test func decay() {
    let schedule = WarmupDecayLR(optimizer(), totalSteps: 8, maximum: 0.4, warmUpSteps: 4, shape: .linear)
    expect(rates(schedule, 11), [0, 0, 0.1, 0.2, 0.3, 0.4, 0.3, 0.2, 0.1, 0, 0])
  }

  @Test func cosine() {
    let schedule = WarmupCosineLR(
      optimizer(1), totalSteps: 6, minimumPart: 0.2, warmUpSteps: 2, finalPart: 0.1, shape: .linear)
    let fall = (1...4).map { 0.1 + 0.9 * (1 + cos(.pi * Double($0) / 4)) / 2 }
    expect(rates(schedule, 9), [0, 0.2, 0.6] + fall + [0.1, 0.1])
  }

  @Test func rangeTest() {
    expect(
      rates(LRRangeTest(optimizer(), minimum: 0.1, stepSize: 2, rate: 3), 5), [0.1, 0.25, 0.4, 0.55, 0.7])
    expect(
      rates(LRRangeTest(optimizer(), minimum: 0.1, stepSize: 2, rate: 3, staircase: true), 5),
      [0.1, 0.1, 0.4, 0.4, 0.7])
  }

  @Test func oneCycle() {
    let optimizer = optimizer()
    let schedule = OneCycle(
      optimizer, learningRate: .init(minimum: 0.1, maximum: 0.5, decayRate: 1),
      momentum: .init(minimum: 0.8, maximum: 0.9),
      firstSteps: 2, secondSteps: 4, decayStepSize: 2)
    var momenta: [Double] = []
    var rates: [Double] = []
    for _ in 0..<9 {
      rates.append(schedule.lastLearningRates[0])
      momenta.append(optimizer.parameterGroups[0].momentumCoefficient ?? 0)
      schedule.step()
    }
    expect(rates, [0.1, 0.3, 0.5, 0.4, 0.3, 0.2, 0.1, 0.1 / 1.5, 0.05])
    expect(momenta, [0.8, 0.85, 0.8, 0.825, 0.85, 0.875, 0.9, 0.9, 0.9])
  }

  @Test func withoutMomentumOnlyTheRateCycles() {
    let optimizer = Lamb([Parameter(wrappedValue: Tensor.zeros([2]))])
    let schedule = OneCycle(optimizer, learningRate: .init(minimum: 0.1, maximum: 0.5), momentum: nil, firstSteps: 2)
    schedule.step()
    #expect(optimizer.parameterGroups[0].momentumCoefficient == 0.9)
  }

  static let makers: [(name: String, make: @Sendable (Optimizer) -> LearningRateSchedule)] = [
    ("WarmupLR", { WarmupLR($0, minimum: 0.01, maximum: 0.2, warmUpSteps: 6) }),
    ("WarmupDecayLR", { WarmupDecayLR($0, totalSteps: 12, maximum: 0.2, warmUpSteps: 3, shape: .linear) }),
    ("WarmupCosineLR", { WarmupCosineLR($0, totalSteps: 12, warmUpSteps: 3) }),
    ("LRRangeTest", { LRRangeTest($0, minimum: 0.1, stepSize: 3) }),
    (
      "OneCycle",
      { OneCycle($0, learningRate: .init(minimum: 0.1, maximum: 0.5, decayRate: 2), firstSteps: 3, decayStepSize: 2) }
    ),
  ]

  @Test(arguments: makers.indices) func goesOnFromItsState(_ index: Int) throws {
    let whole = Self.makers[index].make(optimizer())
    for _ in 0..<5 { whole.step() }
    let other = optimizer()
    let resumed = Self.makers[index].make(other)
    try resumed.load(whole.stateDictionary())
    try other.load(whole.optimizer.stateDictionary())
    expect(rates(resumed, 6), rates(whole, 6))
    #expect(throws: ScheduleStateError.self) { try resumed.load(.dictionary([:])) }
  }

  @Test func badOptionsAreErrors() {
    for body: () -> Void in [
      { _ = WarmupLR(optimizer(), minimum: -1) }, { _ = WarmupDecayLR(optimizer(), totalSteps: 0) },
      { _ = WarmupCosineLR(optimizer(), totalSteps: 5, finalPart: 2) }, { _ = LRRangeTest(optimizer(), stepSize: 0) },
      { _ = OneCycle(optimizer(), learningRate: .init(minimum: 0, maximum: 1), firstSteps: 0) },
    ] {
      #expect(throws: TorchError.self) { try withErrorScope { body() } }
    }
  }
}
