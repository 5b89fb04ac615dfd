public import Torch
internal import TorchDistributed

/// Collectives by name, as Horovod's API has them. All ranks of the set must call them in the same order with the same names;
/// when they do not, every rank gets an error that says who came to what.
extension ProcessSet {
  /// The reduction of a tensor over the ranks of the set, as a new tensor. On a rank that is not one of them nothing
  /// happens, as in all collectives.
  ///
  /// - Parameters:
  ///   - name: the same on all ranks.
  ///   - prescale: a factor before the sum.
  ///   - postscale: a factor after it.
  public func allreduce(
    _ tensor: Tensor, name: String, operation: HorovodOperation = .average, prescale: Double = 1, postscale: Double = 1,
    compression: GradientCompression = .none
  ) throws -> Tensor {
    try startAllreduce(
      tensor, name: name, operation: operation, prescale: prescale, postscale: postscale, compression: compression
    ).wait()
  }

  /// Begins what ``allreduce(_:name:operation:prescale:postscale:compression:)`` does; the answer waits for it.
  public func startAllreduce(
    _ tensor: Tensor, name: String, operation: HorovodOperation = .average, prescale: Double = 1, postscale: Double = 1,
    compression: GradientCompression = .none
  ) throws -> HorovodHandle {
    guard let group = others else { return HorovodHandle(tensor.detached().clone()) }
    try checkAllreduce(tensor, name, operation, compression, group)
    try agree(.allreduce, name, tensor, detail: HorovodOperation.allCases.firstIndex(of: operation) ?? 0)
    return try withoutGradients {
      let wire = compression.wireType(of: tensor.dtype)
      let scaled = prescale == 1 ? tensor.detached() : tensor.detached() * prescale
      let message = (wire == tensor.dtype && prescale != 1 ? scaled : scaled.to(wire).clone()).contiguous()
      if operation == .adasum {
        let sum = try adaptiveSum(of: message, group).to(tensor.dtype)
        return HorovodHandle(postscale == 1 ? sum : sum * postscale)
      }
      let scale = operation == .average ? postscale / Double(group.size) : postscale
      let work = try group.startAllReduce(message, by: .sum)
      return HorovodHandle(message, work, group, name: name) { sum in
        let result = sum.to(tensor.dtype)
        return scale == 1 ? result : result * scale
      }
    }
  }

  private func checkAllreduce(
    _ tensor: Tensor, _ name: String, _ operation: HorovodOperation, _ compression: GradientCompression,
    _ group: ProcessGroup
  ) throws(ConfigurationError) {
    if let reason = compression.refusal(of: tensor.dtype) {
      throw ConfigurationError(
        "compression",
        "compression .\(compression) cannot be used for '\(name)' of type \(tensor.dtype): \(reason)",
        suggestion: "write compression: .none, or another format")
    }
    if operation == .adasum, !Adasum.isPowerOfTwo(group.size) {
      throw ConfigurationError([DistributedOptimizer.adasumProblem(group.size, "ranks")])!
    }
    if operation != .sum, !tensor.dtype.isFloatingPoint {
      throw ConfigurationError(
        "operation", "the \(operation.rawValue) of '\(name)' is no \(tensor.dtype)",
        suggestion: "convert it to a floating-point type, or use operation: .sum")
    }
  }

  /// The tensors of all ranks, one after the other along the first dimension, which may differ in length; numbers
  /// become a list.
  public func allgather(_ tensor: Tensor, name: String) throws -> Tensor {
    let rows = tensor.ndim == 0 ? tensor.reshaped([1]) : tensor
    guard let group = others else { return rows.detached().clone() }
    try agree(.allgather, name, rows, shape: [-1] + rows.shape.dropFirst())
    return try group.activity.about("'\(name)'") { Tensor.cat(try group.allGather(rows)) }
  }

  /// The tensor of one rank, on all ranks, as a new tensor.
  ///
  /// - Parameter root: by its number in the world.
  public func broadcast(_ tensor: Tensor, name: String, root: Int = 0) throws -> Tensor {
    let result = withoutGradients { tensor.detached().contiguous().clone() }
    guard let group = others else { return result }
    guard let source = ranks.firstIndex(of: root) else {
      throw ConfigurationError(
        "root", "the root of '\(name)' is rank \(root), which is not in the set \(ranks)",
        suggestion: "name one of its ranks")
    }
    try agree(.broadcast, name, tensor, detail: root)
    try group.activity.about("'\(name)'") { try group.broadcast(result, from: source) }
    return result
  }

  /// Sends to each rank its part of the first dimension, and returns the parts that this rank got, one after the
  /// other.
  ///
  /// - Parameter splits: how many rows go to each rank; equal parts when left out.
  /// - Returns: the rows, and how many came from each rank.
  public func alltoall(
    _ tensor: Tensor, name: String, splits: [Int]? = nil
  ) throws -> (rows: Tensor, splits: [Int]) {
    let splits = splits ?? [Int](repeating: tensor.ndim == 0 ? 0 : tensor.size(0) / size, count: size)
    guard tensor.ndim > 0, splits.count == size, splits.allSatisfy({ $0 >= 0 }), splits.reduce(0, +) == tensor.size(0)
    else {
      throw ConfigurationError(
        "splits", "alltoall '\(name)' of \(tensor.shape) on \(size) ranks has the splits \(splits)",
        suggestion: "give a number of rows for each rank that together are those of the tensor")
    }
    guard let group = others else { return (tensor.detached().clone(), splits) }
    try agree(.alltoall, name, tensor, shape: [-1] + tensor.shape.dropFirst())
    return try withoutGradients {
      try group.activity.about("'\(name)'") { try exchange(tensor.detached().contiguous(), splits, group) }
    }
  }

  private func exchange(_ tensor: Tensor, _ splits: [Int], _ group: ProcessGroup) throws -> (Tensor, [Int]) {
    let table = try group.allGather(Tensor(splits)).map { try $0.array(as: Int.self) }
    let counts = table.map { $0[group.rank] }
    var parts: [Tensor] = []
    var operations: [PointToPoint] = []
    var start = 0
    for (rank, count) in splits.enumerated() {
      let part = tensor.narrowed(dim: 0, start: start, length: count)
      start += count
      if rank == group.rank {
        parts.append(part.clone())
        continue
      }
      if count > 0 { operations.append(.send(part.contiguous(), to: rank)) }
      let received = Tensor.empty([counts[rank]] + tensor.shape.dropFirst(), dtype: tensor.dtype, device: tensor.device)
      parts.append(received)
      if counts[rank] > 0 { operations.append(.receive(received, from: rank)) }
    }
    for work in try group.startTogether(operations) { try work.wait() }
    return (.cat(parts), counts)
  }

  /// Takes part with zeros in what the others reduce, until every rank has called this: for a loop of one's own, in which
  /// ranks have different numbers of batches. A fit joins by itself.
  ///
  /// The weights of a rank that waits here do not change; give it those of the last one afterwards
  /// (``HorovodStrategy/broadcastParameters(_:from:)``).
  ///
  /// - Parameter optimizers: what the ranks step.
  /// - Returns: the rank that came last.
  @discardableResult
  public func join(_ optimizers: [DistributedOptimizer]) throws -> Int {
    guard let negotiator, let group = others else { return ranks.last ?? 0 }
    let request = CollectiveRequest(.join, "", round: negotiator.rounds + 1)
    while true {
      let requests = try negotiator.agree(on: request)
      guard let active = requests.first(where: { $0.kind != .join }) else {
        let latest = requests.map(\.round).max() ?? 0
        return ranks[requests.lastIndex { $0.round == latest } ?? 0]
      }
      switch active.kind {
      case .gradients, .deltas:
        guard let optimizer = optimizers.first(where: { $0.fingerprint == active.detail }) else {
          throw HorovodError.misuse(
            "this rank has joined, but not with the optimizer that other ranks step: pass it to join(_:)")
        }
        try optimizer.contributeZeros()
      default:
        let zeros = Tensor.zeros(active.shape, dtype: active.dtype)
        if HorovodOperation.allCases[active.detail] == .adasum {
          _ = try adaptiveSum(of: zeros, group)
        } else {
          try group.allReduce(zeros, by: .sum)
        }
      }
    }
  }

  private func adaptiveSum(of tensor: Tensor, _ group: ProcessGroup) throws -> Tensor {
    let size = group.size
    let padded = Tensor.zeros([(tensor.count + size - 1) / size * size], dtype: tensor.dtype, device: tensor.device)
    let numbers = padded.narrowed(dim: 0, start: 0, length: tensor.count)
    numbers.copy(from: tensor.reshaped([-1]))
    try Adasum(group).reduce(padded, bounds: [0, tensor.count])
    return numbers.reshaped(tensor.shape)
  }

  /// The group, where there is anybody else in it.
  private var others: ProcessGroup? { size > 1 ? group : nil }

  private func agree(
    _ kind: CollectiveRequest.Kind, _ name: String, _ tensor: Tensor, detail: Int = 0, shape: [Int]? = nil
  ) throws {
    let request = CollectiveRequest(kind, name, detail: detail, dtype: tensor.dtype, shape: shape ?? tensor.shape)
    try negotiator?.agree(on: request)
  }
}
