import Glibc
public import Torch

/// Raises the learning rate to `maximum` and lets it fall far below where it began, while momentum goes the other way.
///
/// After Smith and Topin, Super-Convergence, [arXiv:1708.07120](https://arxiv.org/abs/1708.07120); step it after
/// every batch.
public final class OneCycleLR: LearningRateSchedule {
  /// The shape of the way between two learning rates.
  public enum Annealing: String, Sendable {
    /// Half a cosine.
    case cosine = "cos"
    /// A straight line.
    case linear
  }

  struct Phase {
    var end: Double
    var rates: (start: String, end: String)
    var momenta: (start: String, end: String)
  }

  /// The number of steps of the cycle.
  public private(set) var totalSteps: Int
  /// The shape of the way between two learning rates.
  public private(set) var annealing: Annealing
  /// Whether the momentum of the groups moves against the learning rate.
  public private(set) var cyclesMomentum: Bool
  private var phases: [Phase]

  /// Creates the schedule and sets the learning rates and momenta of step 0.
  ///
  /// - Parameters:
  ///   - maximum: the highest learning rate, of all groups.
  ///   - totalSteps: the length of the cycle; at least 1.
  ///   - risingFraction: the share of the cycle in which the learning rate rises, in 0...1.
  ///   - cyclesMomentum: whether momentum (or the first beta) falls to `baseMomentum` and comes back to
  ///     `maximumMomentum`.
  ///   - divisor: maximum over the first learning rate.
  ///   - finalDivisor: the first learning rate over the last.
  ///   - threePhases: whether to fall as far as it rose, symmetrically, before the last descent.
  public init(
    _ optimizer: Optimizer, maximum: Double, totalSteps: Int, risingFraction: Double = 0.3,
    annealing: Annealing = .cosine, cyclesMomentum: Bool = true, baseMomentum: Double = 0.85,
    maximumMomentum: Double = 0.95, divisor: Double = 25, finalDivisor: Double = 1e4, threePhases: Bool = false
  ) {
    self.totalSteps = max(1, totalSteps)
    self.annealing = annealing
    self.cyclesMomentum = cyclesMomentum
    phases = Self.phases(of: totalSteps, rising: risingFraction, three: threePhases)
    for group in optimizer.parameterGroups {
      let initial = maximum / divisor
      group.annotations["initial_lr"] = .double(initial)
      group.annotations["max_lr"] = .double(maximum)
      group.annotations["min_lr"] = .double(initial / finalDivisor)
      if cyclesMomentum {
        group.momentumCoefficient = maximumMomentum
        group.annotations["max_momentum"] = .double(maximumMomentum)
        group.annotations["base_momentum"] = .double(baseMomentum)
      }
    }
    super.init(optimizer)
    Self.require(totalSteps > 0, "totalSteps is \(totalSteps); give a number of steps that is at least 1")
    Self.require((0...1).contains(risingFraction), "risingFraction is \(risingFraction); give a number in 0...1")
    Self.require(
      !cyclesMomentum || optimizer.parameterGroups.allSatisfy { $0.momentumCoefficient != nil },
      "\(type(of: optimizer)) has no momentum to cycle; pass cyclesMomentum: false")
  }

  public override func learningRates() -> [Double] {
    Self.require(
      lastEpoch <= totalSteps, "step \(lastEpoch) of a cycle of \(totalSteps) steps; give a larger totalSteps")
    let step = Double(lastEpoch)
    let index = phases.firstIndex { step <= $0.end } ?? phases.count - 1
    let start = index == 0 ? 0 : phases[index - 1].end
    let phase = phases[index]
    let fraction = (step - start) / (phase.end - start)
    return optimizer.parameterGroups.map { group in
      if cyclesMomentum {
        group.momentumCoefficient = anneal(
          group.annotation(phase.momenta.start), group.annotation(phase.momenta.end), fraction)
      }
      return anneal(group.annotation(phase.rates.start), group.annotation(phase.rates.end), fraction)
    }
  }

  private func anneal(_ start: Double, _ end: Double, _ fraction: Double) -> Double {
    switch annealing {
    case .cosine: end + (start - end) / 2 * (cos(.pi * fraction) + 1)
    case .linear: (end - start) * fraction + start
    }
  }

  private static func phases(of steps: Int, rising: Double, three: Bool) -> [Phase] {
    let up = Phase(
      end: rising * Double(steps) - 1, rates: ("initial_lr", "max_lr"), momenta: ("max_momentum", "base_momentum"))
    let last = Double(steps - 1)
    guard three else {
      return [up, Phase(end: last, rates: ("max_lr", "min_lr"), momenta: ("base_momentum", "max_momentum"))]
    }
    return [
      up,
      Phase(
        end: 2 * rising * Double(steps) - 2, rates: ("max_lr", "initial_lr"), momenta: ("base_momentum", "max_momentum")
      ),
      Phase(end: last, rates: ("initial_lr", "min_lr"), momenta: ("max_momentum", "max_momentum")),
    ]
  }

  public override func store(into state: inout ArchiveDictionary) {
    state["total_steps"] = .int(totalSteps)
    state["_schedule_phases"] = .list(
      phases.map { phase in
        .dictionary([
          "end_step": .double(phase.end), "start_lr": .string(phase.rates.start), "end_lr": .string(phase.rates.end),
          "start_momentum": .string(phase.momenta.start), "end_momentum": .string(phase.momenta.end),
        ])
      })
    state["_anneal_func_type"] = .string(annealing.rawValue)
    state["cycle_momentum"] = .bool(cyclesMomentum)
    state["use_beta1"] = .bool(optimizer.parameterGroups.contains(where: \.cyclesBeta))
  }

  public override func restore(from state: inout StateReader) {
    state.read("total_steps", into: &totalSteps)
    state.read("cycle_momentum", into: &cyclesMomentum)
    var name = annealing.rawValue
    state.read("_anneal_func_type", into: &name)
    if let saved = Annealing(rawValue: name) {
      annealing = saved
    } else {
      state.report("'_anneal_func_type' is '\(name)', it should be 'cos' or 'linear'")
    }
    guard let list = state.entries["_schedule_phases"]?.listValue, !list.isEmpty else {
      return state.report("'_schedule_phases' should be a list of phases")
    }
    phases = list.enumerated().map { index, value in
      var reader = StateReader(value, context: "phase \(index)")
      var phase = Phase(end: 0, rates: ("", ""), momenta: ("", ""))
      reader.read("end_step", into: &phase.end)
      reader.read("start_lr", into: &phase.rates.start)
      reader.read("end_lr", into: &phase.rates.end)
      reader.read("start_momentum", into: &phase.momenta.start)
      reader.read("end_momentum", into: &phase.momenta.end)
      state.absorb(reader)
      return phase
    }
  }
}
