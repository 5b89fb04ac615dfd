internal import TorchDistributed

/// Gradients are averaged over the ranks: the same numbers as `ddp`.
///
/// g ← (1/n) Σ gᵢ, a bucket at a time while backward runs. Hierarchical: reduced inside each node, all-reduced over the
/// leaders of the nodes, and handed on inside the node.
///
/// A parameter that a rank has no gradient of counts as zero there. See Bagua's `GradientAllReduceAlgorithm`.
public final class GradientAllReduce: BaguaAlgorithm {
  public override var name: String { "gradient_allreduce" }
  public override var isHierarchical: Bool { hierarchical }
  private let hierarchical: Bool
  private let average: Bool
  private var gradients: BaguaGradients?

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - average: divide by the number of ranks; the sum otherwise.
  public init(hierarchical: Bool = false, average: Bool = true) {
    self.hierarchical = hierarchical
    self.average = average
  }

  public override func begin(_ run: BaguaRun) throws {
    guard run.worldSize > 1 else { return }
    let (channels, average) = (run.channels, average)
    gradients = BaguaGradients(run) { try channels.reduce($0, averaging: average) }
  }

  public override func willRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing { gradients?.arm() }
  }

  public override func didRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {
    if synchronizing { try gradients?.finish() }
  }

  public override func end() {
    gradients?.close()
    gradients = nil
  }
}

extension BaguaChannels {
  /// Replaces the vector of a bucket by its sum or mean over all ranks.
  func reduce(_ bucket: BaguaBucket, averaging: Bool) throws {
    let flat = bucket.flat
    try exchange(flat, averaging: averaging) { try $0.allReduce(flat, by: averaging ? .mean : .sum) }
  }
}
