internal import Torch
internal import TorchDistributed
public import TorchOptim

/// Weights instead of gradients are averaged, while forward and backward run.
///
/// Every `communicationInterval` steps the weights xₜ at the beginning of the step cross the ranks; before the optimizer's
/// step they are replaced by the average x', which it changes by the gradient at xₜ: xₜ₊₁ = x' - γ g(xₜ).
///
/// - `all`: x' is the mean over all ranks.
/// - `shiftOne`: x' is the mean of two ranks; with n ranks, at communication k = 0, 1, ..., rank i < n/2 meets rank
///   (k + i) mod n/2 + n/2. Needs an even number of ranks.
///
/// Hierarchical, the ranks of each node are averaged first, and the leaders of the nodes take the place of the ranks.
///
/// Ranks differ between averagings: see ``keepsRanksEqual``. See Bagua's `DecentralizedAlgorithm` and
/// https://arxiv.org/abs/1705.09056.
public final class Decentralized: BaguaAlgorithm {
  /// Who averages with whom.
  public enum PeerSelection: String, Sendable, Hashable, CaseIterable {
    case all
    case shiftOne = "shift_one"
  }

  public override var name: String { "decentralized" }
  public override var isHierarchical: Bool { hierarchical }
  public override var keepsRanksEqual: Bool { false }
  private let hierarchical: Bool
  private let peers: PeerSelection
  private let interval: Int
  private var buckets: [BaguaBucket] = []
  private var isUnderWay = false

  /// - Parameters:
  ///   - hierarchical: go over the leaders of the nodes.
  ///   - peers: who averages with whom.
  ///   - communicationInterval: steps from one averaging to the next; at least 1.
  public init(hierarchical: Bool = true, peers: PeerSelection = .all, communicationInterval: Int = 1) {
    self.hierarchical = hierarchical
    self.peers = peers
    interval = communicationInterval
  }

  public override func problems(worldSize: Int, numNodes: Int, flatten: Bool) -> [ConfigurationError.Problem] {
    var problems = Self.problems(ofInterval: interval)
    let parties = hierarchical ? numNodes : worldSize
    if peers == .shiftOne, parties > 1, !parties.isMultiple(of: 2) {
      problems.append(
        .init(
          "algorithm",
          "decentralized with shift_one pairs the \(hierarchical ? "nodes" : "ranks"), but there are \(parties)",
          suggestion: "use \(parties - 1) or \(parties + 1) \(hierarchical ? "nodes" : "processes"), or peers 'all'"))
    }
    return problems
  }

  static func problems(ofInterval interval: Int) -> [ConfigurationError.Problem] {
    if interval >= 1 { return [] }
    return [
      .init("algorithm", "communicationInterval is \(interval)", suggestion: "give a number of steps of at least 1")
    ]
  }

  public override func begin(_ run: BaguaRun) throws {
    isUnderWay = false
    buckets = run.worldSize > 1 ? run.makeWholeBuckets() : []
  }

  public override func willRunForward(_ run: BaguaRun, synchronizing: Bool) throws {
    guard synchronizing, !isUnderWay, run.step.isMultiple(of: interval), !buckets.isEmpty else { return }
    isUnderWay = true
    let turn = run.step / interval
    for bucket in buckets {
      bucket.fill(from: bucket.parameters.map(\.tensor))
      run.submit { [self] in try average(bucket, run.channels, turn) }
    }
  }

  public override func willStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
    guard isUnderWay else { return }
    isUnderWay = false
    try run.wait()
    for bucket in buckets {
      bucket.spill(into: bucket.parameters.map(\.tensor))
      bucket.release()
    }
  }

  public override func end() { buckets = [] }

  private func average(_ bucket: BaguaBucket, _ channels: BaguaChannels, _ turn: Int) throws {
    let flat = bucket.flat
    try channels.exchange(flat, averaging: true) { group in
      switch peers {
      case .all: try group.allReduce(flat, by: .mean)
      case .shiftOne:
        let peer = Self.peer(of: group.rank, among: group.size, turn: turn)
        let received = flat.clone()
        let works = try group.startTogether([.receive(received, from: peer), .send(flat, to: peer)])
        for work in works { try work.wait() }
        flat.add(received)
        flat.multiply(by: 0.5)
      }
    }
  }

  /// The rank that `rank` meets at communication `turn`.
  static func peer(of rank: Int, among size: Int, turn: Int) -> Int {
    let half = size / 2
    if rank < half { return (turn + rank) % ((size + 1) / 2) + half }
    let difference = (rank - half - turn) % half
    return difference < 0 ? difference + half : difference
  }
}
