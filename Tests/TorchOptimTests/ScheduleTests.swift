import Testing
import Torch
import TorchNN
import TorchOptim

struct ScheduleTests {
  let reference = Reference.shared

  private func makeOptimizer() -> SGD {
    SGD([Parameter(wrappedValue: Tensor.zeros([1]))], learningRate: reference.baseLearningRate, momentum: 0.9)
  }

  private func make(_ expected: Reference.Schedule, _ optimizer: Optimizer) throws -> LearningRateSchedule {
    let options = expected.options
    switch expected.schedule {
    case "StepLR":
      return StepLR(optimizer, stepSize: try #require(options.stepSize), gamma: options.gamma ?? 0.1)
    case "MultiStepLR":
      return MultiStepLR(optimizer, milestones: try #require(options.milestones), gamma: options.gamma ?? 0.1)
    case "ConstantLR":
      return ConstantLR(optimizer, factor: options.factor ?? 1 / 3, totalIterations: options.totalIters ?? 5)
    case "LinearLR":
      return LinearLR(
        optimizer, startFactor: options.startFactor ?? 1 / 3, endFactor: options.endFactor ?? 1,
        totalIterations: options.totalIters ?? 5)
    case "ExponentialLR":
      return ExponentialLR(optimizer, gamma: try #require(options.gamma))
    case "CosineAnnealingLR":
      return CosineAnnealingLR(optimizer, maximumSteps: try #require(options.tMax), minimum: options.etaMin ?? 0)
    case "CosineAnnealingWarmRestarts":
      return CosineAnnealingWarmRestarts(
        optimizer, firstPeriod: try #require(options.t0), multiplier: options.tMult ?? 1,
        minimum: options.etaMin ?? 0)
    case "ReduceLROnPlateau":
      return ReduceLROnPlateau(
        optimizer, mode: try #require(.init(rawValue: options.mode ?? "min")), factor: options.factor ?? 0.1,
        patience: options.patience ?? 10, threshold: options.threshold ?? 1e-4,
        thresholdMode: try #require(.init(rawValue: options.thresholdMode ?? "rel")), cooldown: options.cooldown ?? 0,
        minimumLearningRate: options.minLr ?? 0)
    case "SequentialLR":
      return SequentialLR(
        optimizer, try #require(options.schedules).map { try make($0, optimizer) },
        milestones: try #require(options.milestones))
    case "SWALR":
      return SWALR(
        optimizer, averagingRate: try #require(options.swaLr), annealingSteps: options.annealEpochs ?? 10,
        annealing: try #require(.init(rawValue: options.annealStrategy ?? "cos")))
    default:
      throw UnknownSchedule(name: expected.schedule)
    }
  }

  struct UnknownSchedule: Error {
    let name: String
  }

  private func step(_ schedule: LearningRateSchedule, _ index: Int, _ expected: Reference.Schedule) {
    if let plateau = schedule as? ReduceLROnPlateau, let metrics = expected.metrics {
      plateau.step(metric: metrics[index])
    } else {
      schedule.step()
    }
  }

  @Test(arguments: Reference.shared.schedules)
  func `learning rates equal PyTorch's`(_ expected: Reference.Schedule) throws {
    let optimizer = makeOptimizer()
    let schedule = try make(expected, optimizer)
    for (index, rate) in try #require(expected.learningRates).enumerated() {
      if index > 0 { step(schedule, index - 1, expected) }
      let found = optimizer.parameterGroups[0].learningRate
      #expect(abs(found - rate) <= reference.relativeTolerance.learningRates * rate, "step \(index)")
      #expect(schedule.lastLearningRates == [found])
    }
  }

  @Test(arguments: Reference.shared.schedules, [1, 4, 7])
  func `a restored schedule continues to the bit`(_ expected: Reference.Schedule, _ interruption: Int) throws {
    let optimizer = makeOptimizer()
    let schedule = try make(expected, optimizer)
    for index in 0..<interruption { step(schedule, index, expected) }

    let other = makeOptimizer()
    let restored = try make(expected, other)
    try restored.load(schedule.stateDictionary())
    try other.load(optimizer.stateDictionary())
    for index in interruption..<20 {
      step(schedule, index, expected)
      step(restored, index, expected)
      #expect(other.parameterGroups[0].learningRate == optimizer.parameterGroups[0].learningRate)
    }
  }

  @Test func `one cycle rises, falls and takes momentum the other way`() throws {
    let optimizer = makeOptimizer()
    let schedule = OneCycleLR(optimizer, maximum: 1, totalSteps: 10)
    var rates = [optimizer.parameterGroups[0].learningRate]
    var momenta = [optimizer.parameterGroups[0].momentumCoefficient ?? -1]
    for _ in 1..<10 {
      schedule.step()
      rates.append(optimizer.parameterGroups[0].learningRate)
      momenta.append(optimizer.parameterGroups[0].momentumCoefficient ?? -1)
    }
    // From PyTorch 2.13.
    let expectedRates = [
      0.04, 0.52, 1.0, 0.9504846320134737, 0.8117456539497631, 0.6112620219362893, 0.38874197806371075,
      0.18825834605023697, 0.049519367986526286, 4e-06,
    ]
    let expectedMomenta = [
      0.95, 0.9, 0.85, 0.854951556604879, 0.8688255099070633, 0.8888739533021842, 0.9111260466978157,
      0.9311744900929366, 0.945048443395121, 0.95,
    ]
    #expect(zip(rates, expectedRates).allSatisfy { abs($0 - $1) < 1e-12 })
    #expect(zip(momenta, expectedMomenta).allSatisfy { abs($0 - $1) < 1e-12 })

    let other = makeOptimizer()
    let restored = OneCycleLR(other, maximum: 3, totalSteps: 5, threePhases: true)
    try restored.load(schedule.stateDictionary())
    try other.load(optimizer.stateDictionary())
    schedule.step()
    restored.step()
    #expect(other.parameterGroups[0].learningRate == optimizer.parameterGroups[0].learningRate)
  }

  @Test func `one cycle in three phases comes back before it descends`() {
    let optimizer = makeOptimizer()
    let schedule = OneCycleLR(
      optimizer, maximum: 1, totalSteps: 12, risingFraction: 0.25, annealing: .linear, threePhases: true)
    var rates = schedule.lastLearningRates
    for _ in 1..<12 {
      schedule.step()
      rates += schedule.lastLearningRates
    }
    // From PyTorch 2.13.
    let expected = [
      0.04, 0.52, 1.0, 0.52, 0.04, 0.034286285714285714, 0.02857257142857143, 0.022858857142857143,
      0.01714514285714286, 0.011431428571428568, 0.005717714285714284, 4e-06,
    ]
    #expect(zip(rates, expected).allSatisfy { abs($0 - $1) < 1e-12 })
  }

  @Test func `one cycle moves the first beta of Adam`() {
    let optimizer = AdamW([Parameter(wrappedValue: Tensor.zeros([1]))])
    let schedule = OneCycleLR(optimizer, maximum: 1, totalSteps: 10)
    schedule.step()
    schedule.step()
    #expect(optimizer.parameterGroups[0].momentumCoefficient == 0.85)
  }

  @Test func `a function of the step sets the factor of each group`() {
    let parameters = (0..<2).map { _ in Parameter(wrappedValue: Tensor.zeros([1])) }
    let optimizer = SGD(groups: [.init([parameters[0]], learningRate: 1), .init([parameters[1]], learningRate: 10)])
    let schedule = LambdaLR(optimizer, factors: [{ 1 / Double($0 + 1) }, { Double($0) }])
    #expect(schedule.lastLearningRates == [1, 0])
    schedule.step()
    #expect(schedule.lastLearningRates == [0.5, 10])
  }

  @Test func `a learning rate set by hand carries on`() {
    let optimizer = makeOptimizer()
    let schedule = StepLR(optimizer, stepSize: 1, gamma: 0.5)
    optimizer.parameterGroups[0].learningRate = 8
    schedule.step()
    #expect(optimizer.parameterGroups[0].learningRate == 4)
  }

  @Test func `a state that does not fit is refused and nothing changes`() throws {
    let schedule = StepLR(makeOptimizer(), stepSize: 3, gamma: 0.5)
    let error = try #require(throws: ScheduleStateError.self) {
      try schedule.load(["step_size": 7, "gamma": "much", "base_lrs": [0.1, 0.2], "last_epoch": 4, "_step_count": 5])
    }
    #expect(
      error.problems == [
        "'gamma' should be a number, found 'much'",
        "'base_lrs' has 2 learning rates, the optimizer 1 parameter groups",
        "'_last_lr' is missing",
      ])
    #expect(schedule.stepSize == 3)
    #expect(schedule.lastEpoch == 0)
  }

  @Test func `arguments out of range are errors`() throws {
    let step = try #require(throws: TorchError.self) {
      try withErrorScope { _ = StepLR(makeOptimizer(), stepSize: 0) }
    }
    #expect(step.message == "stepSize is 0; give a number of steps that is at least 1")
    let plateau = try #require(throws: TorchError.self) {
      try withErrorScope { ReduceLROnPlateau(makeOptimizer()).step() }
    }
    #expect(plateau.message.contains("call step(metric:)"))
    let sequence = try #require(throws: TorchError.self) {
      try withErrorScope {
        let optimizer = makeOptimizer()
        _ = SequentialLR(optimizer, [ConstantLR(optimizer)], milestones: [3])
      }
    }
    #expect(sequence.message.contains("there are 1 schedules and 1 milestones"))
  }
}
