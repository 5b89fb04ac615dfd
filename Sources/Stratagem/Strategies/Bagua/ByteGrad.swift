/// Gradients are averaged over the ranks in 8 bits: a quarter of the traffic of `float32`.
///
/// The vector of a bucket is padded to a multiple of the number of ranks and split into a chunk for each; all-to-all of
/// compressed chunks, mean of one's own chunk in full precision, all-gather of the compressed means. Every rank takes over
/// the decompressed means, its own too, so that ranks stay equal. See ``MinMaxUInt8``.
///
/// Hierarchical: in full precision inside each node, compressed over the leaders of the nodes; on one node nothing is
/// compressed. See Bagua's `ByteGradAlgorithm`.
public final class ByteGrad: BaguaAlgorithm {
  public override var name: String { "bytegrad" }
  public override var isHierarchical: Bool { hierarchical }
  private let hierarchical: Bool
  private let average: Bool
  private var gradients: BaguaGradients?

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - average: divide by the number of ranks; the sum otherwise.
  public init(hierarchical: Bool = true, average: Bool = true) {
    self.hierarchical = hierarchical
    self.average = average
  }

  public override func begin(_ run: BaguaRun) throws {
    try run.requireCompressible(name)
    guard run.worldSize > 1 else { return }
    let (channels, average) = (run.channels, average)
    gradients = BaguaGradients(run, alignment: run.worldSize) {
      try channels.reduceCompressed($0, averaging: average)
    }
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
