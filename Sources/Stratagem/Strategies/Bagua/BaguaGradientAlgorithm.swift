/// An algorithm that reduces the gradients of each backward in buckets, and nothing else: the base of
/// ``GradientAllReduce`` and ``ByteGrad``.
public class BaguaGradientAlgorithm: BaguaAlgorithm {
  public override var isHierarchical: Bool { hierarchical }
  private let hierarchical: Bool
  /// Whether the sum is divided by the number of ranks.
  final let average: Bool
  private var gradients: BaguaGradients?

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - average: divide by the number of ranks; the sum otherwise.
  init(hierarchical: Bool, average: Bool) {
    self.hierarchical = hierarchical
    self.average = average
  }

  /// What reduces the gradients of `run`, which has several ranks.
  func makeGradients(_ run: BaguaRun) -> BaguaGradients {
    preconditionFailure("\(type(of: self)) must override makeGradients(_:)")
  }

  public override func begin(_ run: BaguaRun) throws {
    if run.worldSize > 1 { gradients = makeGradients(run) }
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
