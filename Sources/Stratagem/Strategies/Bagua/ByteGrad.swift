/// Gradients are averaged over the ranks in 8 bits: a quarter of the traffic of `float32`.
///
/// The vector of a bucket is padded to a multiple of the number of ranks and split into a chunk for each; all-to-all of
/// compressed chunks, mean of one's own chunk in full precision, all-gather of the compressed means. Every rank takes over
/// the decompressed means, its own too, so that ranks stay equal. See ``MinMaxUInt8``.
///
/// Hierarchical: in full precision inside each node, compressed over the leaders of the nodes; on one node nothing is
/// compressed. See Bagua's `ByteGradAlgorithm`.
public final class ByteGrad: BaguaGradientAlgorithm {
  public override var name: String { "bytegrad" }

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - average: divide by the number of ranks; the sum otherwise.
  public override init(hierarchical: Bool = true, average: Bool = true) {
    super.init(hierarchical: hierarchical, average: average)
  }

  public override func begin(_ run: BaguaRun) throws {
    try run.requireCompressible(name)
    try super.begin(run)
  }

  override func makeGradients(_ run: BaguaRun) -> BaguaGradients {
    let (channels, average) = (run.channels, average)
    return BaguaGradients(run, alignment: run.worldSize) { try channels.reduceCompressed($0, averaging: average) }
  }
}
