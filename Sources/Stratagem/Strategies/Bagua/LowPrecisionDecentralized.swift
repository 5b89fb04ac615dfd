internal import Torch
internal import TorchDistributed
public import TorchOptim

/// Weights are averaged with those of two neighbours on a ring, and what crosses the ranks are differences in 8 bits.
///
/// Each rank keeps a replica W of its own weights and replicas Wₗ and Wᵣ of its neighbours'. After an optimizer's step,
/// every `communicationInterval` steps, with the new weights x: z = x + Wₗ/3 + Wᵣ/3 - (5/3)W; Q(z) goes to both
/// neighbours; Wₗ ← Wₗ + Q(zₗ), Wᵣ ← Wᵣ + Q(zᵣ), W ← W + Q(z), and x becomes W. That is (W + Wₗ + Wᵣ)/3 - γg, of which the
/// quantised difference is transmitted. See ``MinMaxUInt8``.
///
/// The replicas are not in checkpoints: training is resumed with all ranks and all replicas at the weights of rank 0. On
/// one node and hierarchical, it is a plain average. See Bagua's `LowPrecisionDecentralizedAlgorithm` and
/// https://arxiv.org/abs/1803.06443 (DCD-PSGD).
public final class LowPrecisionDecentralized: BaguaAlgorithm {
  public override var name: String { "low_precision_decentralized" }
  public override var isHierarchical: Bool { hierarchical }
  public override var keepsRanksEqual: Bool { false }
  private let hierarchical: Bool
  private let interval: Int
  private var states: [ObjectIdentifier: [State]] = [:]

  /// A bucket and the replicas of its vector.
  private final class State {
    let bucket: BaguaBucket
    let own: Tensor
    let left: Tensor
    let right: Tensor

    init(_ bucket: BaguaBucket) {
      self.bucket = bucket
      bucket.fill(from: bucket.parameters.map(\.tensor))
      own = bucket.flat.clone()
      left = own.clone()
      right = own.clone()
      bucket.release()
    }
  }

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - communicationInterval: steps from one averaging to the next; at least 1.
  public init(hierarchical: Bool = true, communicationInterval: Int = 1) {
    self.hierarchical = hierarchical
    interval = communicationInterval
  }

  public override func problems(worldSize: Int, numNodes: Int, flatten: Bool) -> [ConfigurationError.Problem] {
    Decentralized.problems(ofInterval: interval)
  }

  public override func begin(_ run: BaguaRun) throws {
    try run.requireCompressible(name)
    states = [:]
    let owners = run.optimizers.map { Set($0.parameters.map { ObjectIdentifier($0) }) }
    let lost = run.parameters.filter { parameter in
      !owners.contains { $0.contains(ObjectIdentifier(parameter.parameter)) }
    }
    if !lost.isEmpty {
      throw ConfigurationError(
        "configureOptimizers",
        "\(name) averages weights after an optimizer's step, but no optimizer has "
          + lost.reversed().map { "'\($0.name)'" }.joined(separator: ", "),
        suggestion: "give them to an optimizer, or freeze them")
    }
    guard run.worldSize > 1 else { return }
    for (optimizer, owned) in zip(run.optimizers, owners) {
      let parameters = run.parameters.filter { owned.contains(ObjectIdentifier($0.parameter)) }
      states[ObjectIdentifier(optimizer)] = run.makeBuckets(of: parameters).map { State($0) }
    }
  }

  public override func didStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
    guard run.step.isMultiple(of: interval), let states = states[ObjectIdentifier(optimizer)] else { return }
    for state in states {
      state.bucket.fill(from: state.bucket.parameters.map(\.tensor))
      run.submit { [self] in try exchange(state, run.channels) }
    }
    try run.wait()
    for state in states {
      state.bucket.spill(into: state.bucket.parameters.map(\.tensor))
      state.bucket.release()
    }
  }

  public override func end() { states = [:] }

  private func exchange(_ state: State, _ channels: BaguaChannels) throws {
    let weights = state.bucket.flat
    try channels.exchange(weights, averaging: true) { group in
      let difference = Aten.add(weights, other: state.left, alpha: Scalar(1.0 / 3))
      difference.add(state.right, scaledBy: Scalar(1.0 / 3))
      difference.add(state.own, scaledBy: Scalar(-5.0 / 3))
      let message = MinMaxUInt8.compress(difference.view([1, difference.count]))
      let fromLeft = Tensor.empty(message.shape, dtype: .uint8)
      let fromRight = Tensor.empty(message.shape, dtype: .uint8)
      let (left, right) = ((group.rank + group.size - 1) % group.size, (group.rank + 1) % group.size)
      // Two ranks are each other's neighbour on both sides; the tags keep the sides apart.
      let works = try group.startTogether([
        .receive(fromLeft, from: left, tag: 1), .receive(fromRight, from: right, tag: 2),
        .send(message, to: right, tag: 1), .send(message, to: left, tag: 2),
      ])
      for work in works { try work.wait() }
      for (replica, received) in [(state.left, fromLeft), (state.right, fromRight), (state.own, message)] {
        replica.add(MinMaxUInt8.decompress(received, on: replica.device).view([replica.count]).to(replica.dtype))
      }
      weights.copy(from: state.own)
    }
  }
}
