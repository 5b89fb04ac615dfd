public import Torch
public import TorchDistributed

/// The place of this process among the processes of a run, and the store by which they find each other.
public final class ProcessWorld {
  /// Where the processes meet.
  public let store: Store
  /// The host of the store, as this process reaches it.
  public let host: String
  /// The place of this process.
  public let identity: WorkerIdentity
  private let address: String?
  /// What moves the tensors of the run under way.
  private var backend = ProcessGroupBackend.gloo
  private var device = Device.cpu
  /// How many groups were made: the number of the run in the program.
  public private(set) var groups = 0

  public var rank: Int { identity.globalRank }
  public var localRank: Int { identity.localRank }
  public var worldSize: Int { identity.worldSize }

  /// Makes a world.
  ///
  /// - Parameters:
  ///   - store: the store of the run, opened on one process and joined on the others.
  ///   - host: the host of the store, as this process reaches it.
  ///   - identity: the place of this process.
  ///   - address: the local address to communicate over; nil for the one that leads to the store.
  public init(store: Store, host: String, identity: WorkerIdentity, address: String? = nil) {
    self.store = store
    self.host = host
    self.identity = identity
    self.address = address
  }

  nonisolated(unsafe) private static var current: ProcessWorld?

  /// Whether the program has processes that live as long as it does.
  static var hasStanding: Bool { current != nil }

  /// The world of processes that live as long as the program: made for the first run, found by every further one, which
  /// meets in a group of its own.
  static func standing(worldSize: Int, make: () throws -> ProcessWorld) throws -> ProcessWorld {
    guard let current else {
      let made = try make()
      self.current = made
      return made
    }
    guard current.worldSize == worldSize else {
      throw LaunchError.differentSize(running: current.worldSize, asked: worldSize)
    }
    return current
  }

  /// Opens the store on rank 0 and joins it elsewhere.
  ///
  /// - Parameter isLocal: all processes are ours and on this machine, so that rank 0 takes any free port, whatever
  ///   address and port another program left in the environment.
  static func openStore(_ place: ClusterPlace, isLocal: Bool, timeout: Double) throws -> Store {
    let variables = ClusterEnvironments.processVariables
    if place.globalRank == 0 && variables["TORCHELASTIC_USE_AGENT_STORE"] != "True" {
      if isLocal { return try Store.server(timeout: timeout) }
      return try Store.server(host: place.mainAddress, port: place.mainPort ?? 0, timeout: timeout)
    }
    guard let port = place.mainPort else {
      throw LaunchError.invalidLayout(
        "rank \(place.globalRank) was not told the port of rank 0; set MASTER_PORT")
    }
    return try Store.client(host: place.mainAddress, port: port, timeout: timeout)
  }

  /// Waits until all processes have come here.
  ///
  /// - Parameters:
  ///   - name: different for each place.
  ///   - seconds: how long at most.
  func meet(_ name: String, within seconds: Double = .infinity) throws {
    guard worldSize > 1 else { return }
    let key = "met/\(groups)/\(name)"
    if try store.add(key, 1) == worldSize { try store.set(key + "/all", "") }
    var left = seconds
    while left > 0, try !isThere(key + "/all", within: min(left, 60)) { left -= 60 }
  }

  /// Waits a while for a key.
  private func isThere(_ key: String, within seconds: Double) throws -> Bool {
    do {
      try store.wait(for: key, timeout: seconds)
      return true
    } catch {
      if error.isTimeLimit { return false }
      throw error
    }
  }

  /// A group of all processes for one run.
  ///
  /// The processes talk over the interface that leads to the store, unless `GLOO_SOCKET_IFNAME` names another one.
  ///
  /// - Parameters:
  ///   - backend: what moves the tensors, also in the further groups of the run.
  ///   - device: the GPU of this process, which NCCL connects with those of the others.
  public func makeGroup(
    timeout: Double, backend: ProcessGroupBackend = .gloo, device: Device = .cpu
  ) throws -> ProcessGroup {
    groups += 1
    self.backend = backend
    self.device = device
    let meeting = try store.prefixed("run/\(groups)")
    if backend == .nccl, let address = TorchRuntime.busAddress(of: device) {
      try DeviceClaim(rank: rank, device: device, busAddress: address).register(in: meeting)
    }
    let group = try ProcessGroup.join(
      backend, store: meeting, rank: rank, size: worldSize, timeout: timeout, address: groupAddress,
      name: "run\(groups)")
    try group.connect(device)
    return group
  }

  /// A further group for the run under way, of all or some of its processes, whose collectives may be under way at the same
  /// time as those of the others. Called on the processes that it is of.
  ///
  /// - Parameters:
  ///   - name: different for each group of a run that a process is in.
  ///   - ranks: the processes, in the order of their ranks in the group; this one is among them.
  ///   - activity: where it tells what it waits for.
  ///   - forGPUs: whether tensors of GPUs are exchanged in it, which NCCL, if that is the backend of the run, needs memory
  ///     of the GPU for.
  public func makeGroup(
    _ name: String, of ranks: [Int], timeout: Double, activity: CollectiveActivity, forGPUs: Bool = true
  ) throws -> ProcessGroup {
    let place = ranks.firstIndex(of: rank) ?? -1
    let label = "\(name)-" + ranks.map(String.init).joined(separator: "-")
    let group = try ProcessGroup.join(
      forGPUs ? backend : .gloo, store: try store.prefixed("run/\(groups)/\(label)"), rank: place, size: ranks.count,
      timeout: timeout,
      address: groupAddress, name: "run\(groups)/\(label)", activity: activity)
    try group.connect(device)
    return group
  }

  private var groupAddress: String? {
    let isGiven = ClusterEnvironments.processVariables["GLOO_SOCKET_IFNAME"] != nil
    return address ?? (isGiven ? nil : LocalAddress.towards(host))
  }
}
