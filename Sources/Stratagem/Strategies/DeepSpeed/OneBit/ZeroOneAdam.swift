internal import Torch
public import TorchDistributed

/// Adam that averages gradients, compresses them or leaves the ranks alone, ever more rarely.
///
/// Up to `varianceFreezeStep`: in every k-th step gradients are averaged over the ranks and move m and v; in the others
/// they cross the ranks with one bit a number and move m alone. k doubles after every `varianceUpdateScaler` such steps.
/// Later v stays as it is and each rank goes its own way for up to `localStepClipper` steps, after which the way since the
/// last meeting crosses the ranks with one bit a number; the interval doubles after every `localStepScaler` steps. There is
/// no bias correction. See [0/1 Adam](https://arxiv.org/abs/2202.06009) and DeepSpeed's `ZeroOneAdam`.
///
/// Between two meetings the parameters of the ranks differ: each evaluates its own, and the weights in a checkpoint are
/// those of rank 0. With the state a checkpoint has what belongs to each rank, so that as many ranks go on as if nothing
/// had happened. Another number of ranks meets first: at the mean of the ways that are saved, without compression.
public final class ZeroOneAdam: CompressedOptimizer {
  /// When to communicate.
  public struct Policy: Sendable, Hashable {
    /// The last step in which v moves; at least 1.
    public var varianceFreezeStep = 100_000
    /// Steps with averaged gradients before their distance doubles.
    public var varianceUpdateScaler = 16
    /// Steps before the distance of two meetings doubles.
    public var localStepScaler = 32_678
    /// The largest distance of two meetings.
    public var localStepClipper = 16

    public init() {}
  }

  public let policy: Policy
  private var varianceInterval = 1
  private var varianceCounter = 0
  private var localInterval = 1
  private var localCounter = 0
  /// Whether the meeting points are known.
  private var hasMet = false
  /// Whether a step was made since the last meeting, or the last meeting left averages as they were.
  private var hasLeft = false
  /// The sum of the learning rates since the last meeting, for each parameter.
  private var learningRates: [Double] = []

  /// - Parameter processGroup: the ranks; nil for one.
  public init(groups: [Group], over processGroup: ProcessGroup?, policy: Policy = Policy()) {
    self.policy = policy
    super.init(groups: groups, over: processGroup)
  }

  /// The way since the last meeting.
  private static let accumulator = "momentum_accumulator"
  /// Where the parameter was at the last meeting. Going back by the way would not end exactly there, and the ranks would
  /// drift apart.
  private static let meetingPoint = "meeting_point"

  override var stateNames: [String] { [Self.accumulator, Self.meetingPoint] }

  private func isFrozen(in step: Int) -> Bool { step > policy.varianceFreezeStep }

  public override var needsReducedGradients: Bool {
    !isFrozen(in: stepCount + 1) && (stepCount + 1) % varianceInterval == 0
  }

  override func advance() throws {
    if learningRates.count != slots.count { learningRates = slots.map { _ in 0 } }
    if isFrozen(in: stepCount) {
      // What was lost of gradients is nothing to add to ways.
      if stepCount == policy.varianceFreezeStep + 1 { reducer?.clearErrors() }
      try advanceLocally()
    } else {
      try advanceTogether()
    }
  }

  private func advanceTogether() throws {
    let movesVariance = stepCount % varianceInterval == 0
    if movesVariance {
      for slot in slots {
        guard let gradient = slot.tensor.gradient else { continue }
        slot.gatherSquare(gradient)
        slot.gather(gradient)
      }
    } else {
      for (slot, mean) in zip(slots, try compressedMean(slots.map(\.gradient))) { slot.gather(slot.masked(mean)) }
    }
    for slot in slots { slot.tensor.add(slot.update(), scaledBy: Scalar(-slot.group.learningRate)) }
    guard movesVariance else { return }
    varianceCounter += 1
    if varianceCounter == policy.varianceUpdateScaler {
      varianceCounter = 0
      varianceInterval *= 2
    }
  }

  private func advanceLocally() throws {
    if !hasMet {
      for slot in slots { slot.others[Self.meetingPoint]?.copy(from: slot.tensor.detached()) }
      hasMet = true
    }
    hasLeft = true
    for (index, slot) in slots.enumerated() {
      slot.gather(slot.gradient)
      slot.average.copy(from: slot.masked(slot.average))
      let update = slot.update()
      let rate = slot.group.learningRate
      learningRates[index] += rate
      slot.tensor.add(update, scaledBy: Scalar(-rate))
      slot.others[Self.accumulator]?.add(update, scaledBy: Scalar(-rate))
    }
    if stepCount % localInterval == 0 { try meet() }
    localCounter += 1
    if localCounter == policy.localStepScaler {
      localCounter = 0
      localInterval = min(policy.localStepClipper, localInterval * 2)
    }
  }

  /// Goes back to where all ranks were, and from there the mean of their ways.
  private func meet() throws {
    // Without a learning rate there was no way, and averages stay what they are on each rank.
    hasLeft = learningRates.contains { $0 <= 0 }
    let ways = slots.compactMap { slot in slot.others[Self.accumulator].map { $0 * slot.denominator } }
    for (index, (slot, mean)) in zip(slots, try compressedMean(ways)).enumerated() {
      // Where the ranks cannot have gone different ways there is nothing to average.
      let way = ways[index].replacing(with: mean, where: slot.squareAverage .> 0)
      if learningRates[index] > 0 { slot.average.copy(from: slot.masked(way / Scalar(-learningRates[index]))) }
      if let point = slot.others[Self.meetingPoint] {
        point.add(way / slot.denominator)
        slot.tensor.copy(from: point)
      }
      slot.others[Self.accumulator]?.zero()
      learningRates[index] = 0
    }
  }

  override var isApart: Bool { hasLeft && !isAlone }

  private static let parameter = "parameter"
  private static let average = "exp_avg"

  override func ownState(of slot: Int) -> [(name: String, values: Tensor)] {
    guard hasLeft else { return [] }
    var state = [(Self.parameter, slots[slot].tensor), (Self.average, slots[slot].average)]
    if let way = slots[slot].others[Self.accumulator] { state.append((Self.accumulator, way)) }
    return state
  }

  override var namesForOthers: Set<String> { [Self.accumulator] }

  override func setOwnState(_ state: [String: RankState.Saved], of slot: Int) {
    if slot == 0 { hasLeft = false }
    if case .own(let way) = state[Self.accumulator], case .own(let values) = state[Self.parameter],
      case .own(let average) = state[Self.average]
    {
      hasLeft = true
      let tensor = slots[slot].tensor
      tensor.copy(from: values.reshaped(tensor.shape))
      slots[slot].average.copy(from: average.reshaped(tensor.shape))
      slots[slot].others[Self.accumulator]?.copy(from: way.reshaped(tensor.shape))
    } else if case .ofOthers(let ways) = state[Self.accumulator] {
      meet(slot, at: ways)
    }
  }

  /// What ranks that are gone would have done together.
  ///
  /// - Parameter ways: of each of them, since their last meeting.
  private func meet(_ index: Int, at ways: Tensor) {
    let slot = slots[index]
    let mean = ways.to(slot.tensor.device).mean(dim: 0).reshaped(slot.tensor.shape).to(slot.tensor.dtype)
    if learningRates[index] > 0 {
      slot.average.copy(from: slot.masked(mean * slot.denominator / Scalar(-learningRates[index])))
    }
    if let point = slot.others[Self.meetingPoint] {
      point.add(mean)
      slot.tensor.copy(from: point)
    }
    slot.others[Self.accumulator]?.zero()
    learningRates[index] = 0
  }

  override func numbers(of slot: Int) -> [(String, Double)] {
    [
      ("var_interval", Double(varianceInterval)), ("var_counter", Double(varianceCounter)),
      ("local_step_interval", Double(localInterval)), ("local_step_counter", Double(localCounter)),
      ("lrs", slot < learningRates.count ? learningRates[slot] : 0), ("has_met", hasMet ? 1 : 0),
    ]
  }

  override func setNumbers(_ entries: ArchiveDictionary, of slot: Int) {
    func read(_ name: String) -> Double? { entries[name]?.doubleValue }
    varianceInterval = read("var_interval").map { max(1, Int($0)) } ?? 1
    varianceCounter = read("var_counter").map { Int($0) } ?? 0
    localInterval = read("local_step_interval").map { max(1, Int($0)) } ?? 1
    localCounter = read("local_step_counter").map { Int($0) } ?? 0
    hasMet = read("has_met") == 1
    if learningRates.count != slots.count { learningRates = slots.map { _ in 0 } }
    learningRates[slot] = read("lrs") ?? 0
  }
}
