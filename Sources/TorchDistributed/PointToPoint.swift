internal import CTorch
public import Torch

/// Sending a tensor to another rank, or receiving one into it: PyTorch's `P2POp`.
public enum PointToPoint {
  case send(Tensor, to: Int, tag: Int = 0)
  case receive(Tensor, from: Int, tag: Int = 0)

  var tensor: Tensor {
    switch self {
    case .send(let tensor, _, _), .receive(let tensor, _, _): tensor
    }
  }
}

extension ProcessGroup {
  /// Starts operations that need each other, as PyTorch's `batch_isend_irecv` does: a rank that receives from another one what
  /// it sends to it, or in a ring. NCCL runs what is started one by one in this order, and would wait for ever.
  ///
  /// In a group on NCCL all ranks take part in the first one with tensors of GPUs, unless it was connected.
  ///
  /// - Parameter kind: what the watchdog calls them; nil for sending and receiving.
  public func startTogether(
    _ operations: [PointToPoint], as kind: CollectiveActivity.Kind? = nil
  ) throws(DistributedError) -> [Work] {
    try check(operations.map(\.tensor), kind?.label ?? "send")
    var works: [Work] = []
    var batch: [PointToPoint] = []
    for operation in operations {
      if backend == .nccl, operation.tensor.device.kind == .cuda {
        batch.append(operation)
      } else {
        works.append(try start(operation, kind))
      }
    }
    if !batch.isEmpty { works.append(try startBatch(batch, kind)) }
    return works
  }

  private func start(_ operation: PointToPoint, _ kind: CollectiveActivity.Kind?) throws(DistributedError) -> Work {
    let (tensor, started) = (operation.tensor, handle(of: operation))
    let shape = tensor.shape
    switch operation {
    case .send(_, let rank, _):
      return try work(
        started, kind ?? .send, "\(kind.map { "\($0.label):" } ?? "send of") \(shape) to rank \(rank)", [tensor])
    case .receive(_, let rank, _):
      return try work(
        started, kind ?? .receive, "\(kind.map { "\($0.label):" } ?? "receive of") \(shape) from rank \(rank)", [tensor]
      )
    }
  }

  private func startBatch(
    _ operations: [PointToPoint], _ kind: CollectiveActivity.Kind?
  ) throws(DistributedError) -> Work {
    let name = "\(kind?.label ?? "send and receive") with NCCL"
    guard ct_batch_begin(self.handle) else { throw .last(name, rank: rank) }
    for operation in operations {
      guard let started = handle(of: operation) else {
        let failure = DistributedError.last(name, rank: rank)
        ct_batch_cancel(self.handle)
        throw failure
      }
      // What is under way is the batch.
      ct_work_release(started)
    }
    return try work(ct_batch_end(self.handle), kind ?? .receive, name, operations.map(\.tensor))
  }

  private func handle(of operation: PointToPoint) -> OpaquePointer? {
    switch operation {
    case .send(let tensor, let rank, let tag): ct_send(handle, tensor.handle, Int32(rank), Int32(tag))
    case .receive(let tensor, let rank, let tag): ct_receive(handle, tensor.handle, Int32(rank), Int32(tag))
    }
  }
}
