internal import TorchDistributed

/// Gradients are averaged over the ranks: the same numbers as `ddp`.
///
/// g ← (1/n) Σ gᵢ, a bucket at a time while backward runs. Hierarchical: reduced inside each node, all-reduced over the
/// leaders of the nodes, and handed on inside the node.
///
/// A parameter that a rank has no gradient of counts as zero there. See Bagua's `GradientAllReduceAlgorithm`.
public final class GradientAllReduce: BaguaGradientAlgorithm {
  public override var name: String { "gradient_allreduce" }

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - average: divide by the number of ranks; the sum otherwise.
  public override init(hierarchical: Bool = false, average: Bool = true) {
    super.init(hierarchical: hierarchical, average: average)
  }

  override func makeGradients(_ run: BaguaRun) -> BaguaGradients {
    let (channels, average) = (run.channels, average)
    return BaguaGradients(run) { try channels.reduce($0, averaging: average) }
  }
}

extension BaguaChannels {
  /// Replaces the vector of a bucket by its sum or mean over all ranks.
  func reduce(_ bucket: BaguaBucket, averaging: Bool) throws {
    let flat = bucket.flat
    try exchange(flat, averaging: averaging) { try $0.allReduce(flat, by: averaging ? .mean : .sum) }
  }
}
