public import TorchOptim

/// The block `scheduler` of a ``DeepSpeedConfig``. Schedules advance with optimizer steps.
public struct DeepSpeedScheduler: Sendable {
  /// The schedules that may be named.
  public enum Kind: String, Sendable, CaseIterable {
    case warmup = "WarmupLR"
    case warmupDecay = "WarmupDecayLR"
    case warmupCosine = "WarmupCosineLR"
    case oneCycle = "OneCycle"
    case rangeTest = "LRRangeTest"
  }

  public let kind: Kind
  /// Whether the number of steps of the run has to be known.
  public private(set) var needsTotalSteps = false
  private let build: @Sendable (Optimizer, Int) -> LearningRateSchedule

  init?(_ section: DeepSpeedSection) {
    if !section.has("type") {
      section.know("type")
      section.problem(
        "type", "the scheduler has no 'type'", "give one of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let kind = section.choice("type", Kind.self, default: nil)
    let made = section.section(orEmpty: "params") { Self(kind, $0) }
    guard kind != nil else { return nil }
    self = made
  }

  private init(_ kind: Kind?, _ section: DeepSpeedSection) {
    self.kind = kind ?? .warmup
    section.ignore("last_batch_iteration", because: "a resumed run goes on where it was")
    switch kind {
    case .warmup: build = Self.warmUp(section)
    case .warmupDecay:
      let total = Self.totalSteps(section)
      needsTotalSteps = total == nil
      build = Self.warmUp(section, isDecaying: true, totalSteps: total)
    case .warmupCosine:
      let total = Self.totalSteps(section)
      needsTotalSteps = total == nil
      build = Self.cosine(section, totalSteps: total)
    case .oneCycle: build = Self.cycle(section)
    case .rangeTest: build = Self.rangeTest(section)
    case nil:
      section.knowAll()
      build = { optimizer, _ in WarmupLR(optimizer) }
    }
  }

  /// Makes the schedule.
  ///
  /// - Parameter totalSteps: the steps of the run; used where the configuration says `"auto"`.
  public func make(_ optimizer: Optimizer, totalSteps: Int?) -> LearningRateSchedule {
    build(optimizer, totalSteps ?? 1)
  }

  private static func totalSteps(_ section: DeepSpeedSection) -> Int? {
    if !section.has("total_num_steps") {
      section.problem(
        "total_num_steps", "'\(section.name("total_num_steps"))' is missing",
        "give the number of optimizer steps of the run, or \"auto\" when the trainer has maxSteps")
    }
    return section.optionalInteger("total_num_steps", atLeast: 1, auto: true)
  }

  private static func shape(_ section: DeepSpeedSection) -> WarmupLR.Shape {
    section.choice("warmup_type", WarmupLR.Shape.self, default: .logarithmic) ?? .logarithmic
  }

  private static func warmUp(
    _ section: DeepSpeedSection, isDecaying: Bool = false, totalSteps: Int? = nil
  ) -> @Sendable (Optimizer, Int) -> LearningRateSchedule {
    let minimum = section.number("warmup_min_lr", default: 0, auto: true)
    let maximum = section.optionalNumber("warmup_max_lr", auto: true)
    let steps = section.integer("warmup_num_steps", default: 1000, auto: true)
    let shape = shape(section)
    return { optimizer, total in
      isDecaying
        ? WarmupDecayLR(
          optimizer, totalSteps: totalSteps ?? total, minimum: minimum, maximum: maximum, warmUpSteps: steps,
          shape: shape)
        : WarmupLR(optimizer, minimum: minimum, maximum: maximum, warmUpSteps: steps, shape: shape)
    }
  }

  private static func cosine(
    _ section: DeepSpeedSection, totalSteps: Int?
  ) -> @Sendable (Optimizer, Int) -> LearningRateSchedule {
    let minimum = section.number("warmup_min_ratio", default: 0, 0...1, "a number in 0...1")
    let steps = section.integer("warmup_num_steps", default: 1000, auto: true)
    let last = section.number("cos_min_ratio", default: 0.0001, 0...1, "a number in 0...1")
    let shape = shape(section)
    return { optimizer, total in
      WarmupCosineLR(
        optimizer, totalSteps: totalSteps ?? total, minimumPart: minimum, warmUpSteps: steps, finalPart: last,
        shape: shape)
    }
  }

  private static func cycle(_ section: DeepSpeedSection) -> @Sendable (Optimizer, Int) -> LearningRateSchedule {
    for key in ["cycle_min_lr", "cycle_max_lr"] where !section.has(key) {
      section.problem(key, "'\(section.name(key))' is missing", "give a learning rate")
    }
    let rate = OneCycle.Course(
      minimum: section.number("cycle_min_lr", default: 1e-3), maximum: section.number("cycle_max_lr", default: 1e-2),
      decayRate: section.number("decay_lr_rate", default: 0))
    let momentum = OneCycle.Course(
      minimum: section.number("cycle_min_mom", default: 0.8, 0..<1, "a number in 0..<1"),
      maximum: section.number("cycle_max_mom", default: 0.9, 0..<1, "a number in 0..<1"),
      decayRate: section.number("decay_mom_rate", default: 0))
    let cyclesMomentum = section.flag("cycle_momentum", default: true)
    let first = section.integer("cycle_first_step_size", default: 2000, atLeast: 1)
    let second = section.optionalInteger("cycle_second_step_size", atLeast: 1)
    let decay = section.integer("decay_step_size", default: 0)
    section.ignore(
      "cycle_first_stair_count", "cycle_second_stair_count", because: "the cycle is made of straight lines")
    return { optimizer, _ in
      OneCycle(
        optimizer, learningRate: rate, momentum: cyclesMomentum ? momentum : nil, firstSteps: first,
        secondSteps: second, decayStepSize: decay)
    }
  }

  private static func rangeTest(_ section: DeepSpeedSection) -> @Sendable (Optimizer, Int) -> LearningRateSchedule {
    let minimum = section.number("lr_range_test_min_lr", default: 1e-3, PositiveNumbers(), "a number above 0")
    let size = section.integer("lr_range_test_step_size", default: 2000, atLeast: 1)
    let rate = section.number("lr_range_test_step_rate", default: 1)
    let staircase = section.flag("lr_range_test_staircase", default: false)
    return { optimizer, _ in
      LRRangeTest(optimizer, minimum: minimum, stepSize: size, rate: rate, staircase: staircase)
    }
  }
}
