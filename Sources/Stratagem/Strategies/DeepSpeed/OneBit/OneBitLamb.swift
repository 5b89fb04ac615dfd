internal import Torch
public import TorchDistributed

/// LAMB whose momentum crosses the ranks with one bit a number, once its average of squares has settled.
///
/// For `freezeStep` steps gradients are averaged over the ranks and LAMB's step is made, without bias correction; a running
/// average of each trust ratio is kept. After them v stays as it is; momenta, brought to a common size, become compressed
/// means over the ranks, a fresh average of squares follows the gradients they reveal, and the trust ratio is the frozen
/// average times the largest (√v + ε)/(√v' + ε), kept within limits and from changing fast. See
/// [1-bit LAMB](https://arxiv.org/abs/2104.06069) and DeepSpeed's `OnebitLamb`.
public final class OneBitLamb: CompressedOptimizer {
  /// How trust ratios go on after the warm-up.
  public struct Scaling: Sendable, Hashable {
    /// How much of the running average of the trust ratio a step keeps; in 0..<1.
    public var ratioBeta = 0.9
    /// The limits of the factor of the frozen ratio.
    public var factors = 0.5...4.0
    /// How much of itself the factor may change in a step.
    public var threshold = 0.1

    public init() {}
  }

  /// The last step that averages gradients; at least 1.
  public let freezeStep: Int
  /// The limits of the trust ratio in the warm-up.
  public let ratios: ClosedRange<Double>
  public let scaling: Scaling

  /// What is known of each parameter: its average trust ratio, the last factor, and what brings its momentum to the common
  /// size (0 before that is known).
  private var knowledge: [(ratio: Double, factor: Double, size: Double)] = []

  /// - Parameters:
  ///   - processGroup: the ranks; nil for one.
  ///   - freezeStep: the steps of the warm-up.
  public init(
    groups: [Group], over processGroup: ProcessGroup?, freezeStep: Int = 100_000,
    ratios: ClosedRange<Double> = 0.01...10, scaling: Scaling = Scaling()
  ) {
    self.freezeStep = max(1, freezeStep)
    self.ratios = ratios
    self.scaling = scaling
    super.init(groups: groups, over: processGroup)
  }

  private static let fresh = "exp_avg_sq_fresh"

  override var stateNames: [String] { [Self.fresh] }

  override var compressesAsOne: Bool { true }

  public override var needsReducedGradients: Bool { stepCount < freezeStep }

  override func advance() throws {
    prepareKnowledge()
    if stepCount > freezeStep { try advanceCompressed() } else { try advanceTogether() }
  }

  private func prepareKnowledge() {
    if knowledge.count != slots.count { knowledge = slots.map { _ in (0, 1, 0) } }
  }

  private func advanceTogether() throws {
    for (index, slot) in slots.enumerated() {
      guard let gradient = slot.tensor.gradient else { continue }
      slot.gather(gradient)
      slot.gatherSquare(gradient)
      let update = slot.update()
      let norms = try (slot.tensor.detached().norm().scalar(), update.norm().scalar())
      var ratio = 1.0
      if norms.0 != 0, norms.1 != 0 { ratio = min(max(norms.0 / norms.1, ratios.lowerBound), ratios.upperBound) }
      if ratio != 1 {
        knowledge[index].ratio = scaling.ratioBeta * knowledge[index].ratio + (1 - scaling.ratioBeta) * ratio
      }
      slot.tensor.add(update, scaledBy: Scalar(-slot.group.learningRate * ratio))
    }
    if stepCount == freezeStep {
      for slot in slots { slot.others[Self.fresh]?.copy(from: slot.squareAverage) }
    }
  }

  private func advanceCompressed() throws {
    try findSizes()
    let before = slots.map { $0.average.clone() }
    for (slot, known) in zip(slots, knowledge) {
      slot.gather(slot.gradient)
      slot.average.multiply(by: Scalar(known.size))
    }
    let means = try compressedMean(slots.map(\.average))
    for (index, (slot, mean)) in zip(slots, means).enumerated() {
      slot.average.copy(from: slot.masked(mean / Scalar(knowledge[index].size)))
      followFreshly(slot, from: before[index])
      let update = slot.update()
      let factor = try factor(slot, update, last: knowledge[index].factor)
      knowledge[index].factor = factor
      slot.tensor.add(update, scaledBy: Scalar(-slot.group.learningRate * knowledge[index].ratio * factor))
    }
  }

  /// What makes the root mean squares of all momenta equal, found once.
  private func findSizes() throws {
    guard knowledge.contains(where: { $0.size == 0 }) else { return }
    let sizes = try slots.map { try $0.average.norm().scalar() / Double($0.average.count).squareRoot() }
    let mean = sizes.reduce(0, +) / Double(sizes.count)
    for (index, size) in sizes.enumerated() { knowledge[index].size = size > 0 && mean > 0 ? mean / size : 1 }
  }

  /// Moves the fresh average of squares towards the gradient that the momentum came from.
  private func followFreshly(_ slot: Slot, from before: Tensor) {
    guard let fresh = slot.others[Self.fresh] else { return }
    let (first, second) = slot.group.betas
    let gradient = Aten.add(slot.average, other: before, alpha: Scalar(-first)) / Scalar(1 - first)
    fresh.multiply(by: Scalar(second))
    Aten.addcmul_(fresh, tensor1: gradient, tensor2: gradient, value: Scalar(1 - second))
  }

  private func factor(_ slot: Slot, _ update: Tensor, last: Double) throws -> Double {
    let fresh = Aten.add(Aten.sqrt(slot.others[Self.fresh] ?? slot.squareAverage), other: Scalar(slot.group.epsilon))
    var factor = try (slot.denominator / fresh).max().scalar()
    if slot.group.weightDecay > 0 {
      let norms = try ((slot.average / slot.denominator).norm().scalar(), update.norm().scalar())
      let part = norms.1 > 0 ? min(1, norms.0 / norms.1) : 1
      factor = factor * part + (1 - part)
    }
    factor = min(max(factor, scaling.factors.lowerBound), scaling.factors.upperBound)
    return min(max(factor, last * (1 - scaling.threshold)), last * (1 + scaling.threshold))
  }

  override func numbers(of slot: Int) -> [(String, Double)] {
    guard slot < knowledge.count else { return [] }
    return [
      ("lamb_coeff_freeze", knowledge[slot].ratio), ("last_factor", knowledge[slot].factor),
      ("scaling_coeff", knowledge[slot].size),
    ]
  }

  override func setNumbers(_ entries: ArchiveDictionary, of slot: Int) {
    prepareKnowledge()
    knowledge[slot] = (
      entries["lamb_coeff_freeze"]?.doubleValue ?? 0, entries["last_factor"]?.doubleValue ?? 1,
      entries["scaling_coeff"]?.doubleValue ?? 0
    )
  }
}
