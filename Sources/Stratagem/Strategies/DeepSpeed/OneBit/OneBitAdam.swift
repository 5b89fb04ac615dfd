internal import Torch
public import TorchDistributed

/// Adam whose momentum crosses the ranks with one bit a number, once its average of squares has settled.
///
/// For `freezeStep` steps gradients are averaged over the ranks, m ← β₁m + (1-β₁)g, v ← β₂v + (1-β₂)g²,
/// p ← p - lr·(m/(√v + ε) + λp), without bias correction. After them v stays as it is, m follows the gradients of each
/// rank, and becomes the compressed mean over the ranks before the update. See
/// [1-bit Adam](https://arxiv.org/abs/2102.02888) and DeepSpeed's `OnebitAdam`.
public final class OneBitAdam: CompressedOptimizer {
  /// The last step that averages gradients; at least 1.
  public let freezeStep: Int

  /// - Parameters:
  ///   - processGroup: the ranks; nil for one.
  ///   - freezeStep: the steps of the warm-up, usually a fifth of a run.
  public init(groups: [Group], over processGroup: ProcessGroup?, freezeStep: Int = 100_000) {
    self.freezeStep = max(1, freezeStep)
    super.init(groups: groups, over: processGroup)
  }

  public override var needsReducedGradients: Bool { stepCount < freezeStep }

  override func advance() throws {
    guard stepCount > freezeStep else {
      for slot in slots {
        guard let gradient = slot.tensor.gradient else { continue }
        slot.gather(gradient)
        slot.gatherSquare(gradient)
        slot.tensor.add(slot.update(), scaledBy: Scalar(-slot.group.learningRate))
      }
      return
    }
    for slot in slots { slot.gather(slot.gradient) }
    for (slot, mean) in zip(slots, try compressedMean(slots.map(\.average))) {
      slot.average.copy(from: slot.masked(mean))
      slot.tensor.add(slot.update(), scaledBy: Scalar(-slot.group.learningRate))
    }
  }
}
