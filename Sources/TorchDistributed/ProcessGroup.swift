internal import CTorch
public import Torch

/// The processes of a run, able to compute together: c10d's process group on Gloo, or on NCCL for tensors of GPUs.
///
/// Every rank must call the same collectives in the same order with tensors of the same shape and type. The functions
/// named `start...` return at once with a ``Work``; the others wait. With NCCL it is the GPU that waits: what is computed
/// next on the same device sees the result, and this thread goes on.
public final class ProcessGroup {
  let handle: OpaquePointer
  /// What moves the tensors.
  public let backend: ProcessGroupBackend
  public let rank: Int
  public let size: Int
  /// Seconds that a collective may take before it fails.
  public let timeout: Double
  /// What this rank waits for at the moment.
  public let activity: CollectiveActivity
  /// How many exchanges were started.
  var exchangeCount = 0

  private init(
    owning handle: OpaquePointer, on backend: ProcessGroupBackend, rank: Int, size: Int, timeout: Double,
    activity: CollectiveActivity
  ) {
    self.backend = backend
    self.activity = activity
    self.handle = handle
    self.rank = rank
    self.size = size
    self.timeout = timeout
  }

  deinit { ct_group_release(handle) }

  /// How many groups of some of these ranks were made, by their ranks.
  private var subgroupCounts: [[Int]: Int] = [:]

  /// Joins the group `name`: returns when all `size` ranks have.
  ///
  /// With `TORCH_DISTRIBUTED_DEBUG=DETAIL` in the environment every collective first compares shapes and types over the
  /// ranks, and fails with a description of what differs; without it Gloo ends a rank that receives too much.
  ///
  /// - Parameters:
  ///   - store: the same store on all ranks.
  ///   - timeout: seconds that the rendezvous, and later each collective, may take.
  ///   - address: the local address to communicate over; nil lets Gloo choose (see `GLOO_SOCKET_IFNAME`).
  ///   - activity: where the group tells what it waits for: that of the group of all ranks, for one of some of them.
  public static func gloo(
    store: Store, rank: Int, size: Int, timeout: Double = 1800, address: String? = nil, name: String = "world",
    activity: CollectiveActivity = CollectiveActivity()
  ) throws(DistributedError) -> ProcessGroup {
    try join(
      .gloo, store: store, rank: rank, size: size, timeout: timeout, address: address, name: name, activity: activity)
  }

  /// Joins the group `name` on a backend: Gloo as ``gloo(store:rank:size:timeout:address:name:activity:)`` has it, or
  /// beside it NCCL for tensors of the current GPU, which ``TorchRuntime/setCurrentDevice(_:)`` chooses before.
  ///
  /// A rank that NCCL waits for longer than `timeout` is noticed by a thread of c10d, which ends the process; the variables
  /// `TORCH_NCCL_...` of PyTorch hold. When the last reference goes, what is under way on GPUs is given up, so that no rank
  /// waits for one that has failed: let all ranks come to a barrier before.
  ///
  /// - Throws: ``DistributedError`` before anything is sent where there is no NCCL, or no GPU.
  public static func join(
    _ backend: ProcessGroupBackend, store: Store, rank: Int, size: Int, timeout: Double = 1800, address: String? = nil,
    name: String = "world", activity: CollectiveActivity = CollectiveActivity()
  ) throws(DistributedError) -> ProcessGroup {
    func failure(_ message: String) -> DistributedError {
      DistributedError(operation: "joining process group '\(name)'", rank: rank, message: message)
    }
    guard (0..<size).contains(rank) else { throw failure("there are ranks 0 to \(size - 1) only") }
    if let problem = backend.problem {
      throw failure("NCCL cannot be used: \(problem); \(ProcessGroupBackend.remedy)")
    }
    if backend == .nccl, TorchRuntime.cudaDeviceCount == 0 {
      throw failure("NCCL cannot be used: libtorch sees no GPU; see nvidia-smi and CUDA_VISIBLE_DEVICES")
    }
    try store.set("joined/\(name)/\(rank)", "")
    let handle = ct_group_make(
      store.handle, Int32(rank), Int32(size), Int64(timeout * 1000), address, backend == .nccl, name)
    guard let handle else {
      throw .last("joining process group '\(name)' of \(size) ranks", rank: rank) { _ in
        absence(of: store, name: name, size: size, timeout: timeout)
      }
    }
    withExtendedLifetime(store) {}
    return ProcessGroup(
      owning: handle, on: backend, rank: rank, size: size, timeout: timeout, activity: activity)
  }

  /// Which ranks did not come; nil when all did.
  private static func absence(of store: Store, name: String, size: Int, timeout: Double) -> String? {
    let missing = (0..<size).filter { (try? store.contains("joined/\(name)/\($0)")) == false }
    guard !missing.isEmpty else { return nil }
    let ranks = missing.map(String.init).joined(separator: ", ")
    return """
      rank\(missing.count == 1 ? "" : "s") \(ranks) \(DistributedError.absence) \(timeout) s; \
      look for their own errors, or raise the timeout
      """
  }

  func work(
    _ handle: OpaquePointer?, _ kind: CollectiveActivity.Kind, _ operation: @autoclosure () -> String,
    _ tensors: [Tensor]
  ) throws(DistributedError) -> Work {
    guard let handle else { throw .last(operation(), rank: rank) }
    return Work(
      owning: handle, operation: operation(), rank: rank, tensors: tensors, kind: kind, activity: activity)
  }

  /// A collective on a poisoned tensor would leave the other ranks waiting for a value that never comes.
  func check(_ tensors: [Tensor], _ operation: String) throws(DistributedError) {
    if tensors.contains(where: \.isPoisoned) {
      throw DistributedError(
        operation: operation, rank: rank, message: "the tensor is the result of an operation that failed before")
    }
  }

  public func startAllReduce(_ tensor: Tensor, by operation: ReduceOperation = .sum) throws(DistributedError) -> Work {
    try check([tensor], "all-reduce")
    return try work(
      ct_all_reduce(handle, tensor.handle, operation.raw), .allReduce, "all-reduce of \(tensor.shape) \(tensor.dtype)",
      [tensor])
  }

  public func startBroadcast(_ tensor: Tensor, from source: Int = 0) throws(DistributedError) -> Work {
    try check([tensor], "broadcast")
    return try work(
      ct_broadcast(handle, tensor.handle, Int32(source)), .broadcast, "broadcast of \(tensor.shape) \(tensor.dtype)",
      [tensor])
  }

  /// Gathers `input` of every rank into `output`, whose first dimension is `size` times as long.
  public func startAllGather(into output: Tensor, from input: Tensor) throws(DistributedError) -> Work {
    try check([output, input], "all-gather")
    return try work(
      ct_all_gather(handle, output.handle, input.handle), .allGather, "all-gather of \(input.shape) \(input.dtype)",
      [output, input])
  }

  /// Reduces `input` over the ranks and leaves this rank's part, one `size`-th of the first dimension, in `output`.
  public func startReduceScatter(
    into output: Tensor, from input: Tensor, by operation: ReduceOperation = .sum
  ) throws(DistributedError) -> Work {
    try check([output, input], "reduce-scatter")
    return try work(
      ct_reduce_scatter(handle, output.handle, input.handle, operation.raw), .reduceScatter,
      "reduce-scatter of \(input.shape) \(input.dtype)", [output, input])
  }

  /// Sends part i of the first dimension of `input` to rank i.
  public func startAllToAll(into output: Tensor, from input: Tensor) throws(DistributedError) -> Work {
    try check([output, input], "all-to-all")
    return try work(
      ct_all_to_all(handle, output.handle, input.handle), .allToAll, "all-to-all of \(input.shape) \(input.dtype)",
      [output, input])
  }

  public func startSend(_ tensor: Tensor, to destination: Int, tag: Int = 0) throws(DistributedError) -> Work {
    try check([tensor], "send")
    return try work(
      ct_send(handle, tensor.handle, Int32(destination), Int32(tag)), .send,
      "send of \(tensor.shape) to rank \(destination)",
      [tensor])
  }

  public func startReceive(into tensor: Tensor, from source: Int, tag: Int = 0) throws(DistributedError) -> Work {
    try check([tensor], "receive")
    return try work(
      ct_receive(handle, tensor.handle, Int32(source), Int32(tag)), .receive,
      "receive of \(tensor.shape) from rank \(source)",
      [tensor])
  }
}

/// Groups of some of the ranks.
extension ProcessGroup {
  /// A group of some ranks of this one, in which rank `ranks[i]` has the rank i. Called on these ranks, which return when
  /// all of them have come.
  ///
  /// What a rank waits for in it is told by the ``activity`` of this group.
  ///
  /// - Parameter ranks: different ranks of this group, among them that of the caller.
  public func subgroup(_ ranks: [Int]) throws(DistributedError) -> ProcessGroup {
    guard let place = ranks.firstIndex(of: rank), Set(ranks).count == ranks.count,
      ranks.allSatisfy((0..<size).contains)
    else {
      throw DistributedError(
        operation: "making a subgroup of ranks \(ranks)", rank: rank,
        message: "give different ranks from 0 to \(size - 1), among them \(rank)")
    }
    let number = subgroupCounts[ranks, default: 0]
    subgroupCounts[ranks] = number + 1
    let name = ranks.map(String.init).joined(separator: "-") + ".\(number)"
    guard let made = ct_group_subgroup(handle, Int32(place), Int32(ranks.count), Int64(timeout * 1000), name) else {
      throw .last("making a subgroup of ranks \(ranks)", rank: rank)
    }
    return ProcessGroup(
      owning: made, on: backend, rank: place, size: ranks.count, timeout: timeout, activity: activity)
  }

  /// The group of `count` consecutive ranks that this one belongs to: 0 to `count` - 1, the next `count`, and so on. Called
  /// on all ranks; this group itself when it has as many.
  ///
  /// See PyTorch's `torch.distributed.new_subgroups`.
  ///
  /// - Throws: ``DistributedError`` when the ranks do not go round.
  public func subgroup(ofSize count: Int) throws(DistributedError) -> ProcessGroup {
    guard count > 0, size % count == 0 else {
      throw DistributedError(
        operation: "making subgroups of \(count) ranks", rank: rank,
        message: "\(size) ranks cannot be divided into groups of \(count); give a divisor of \(size)")
    }
    if count == size { return self }
    let first = rank / count * count
    return try subgroup(Array(first..<(first + count)))
  }
}
