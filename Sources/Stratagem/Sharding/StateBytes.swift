internal import Torch
public import TorchOptim

/// The memory that the state of a model takes on a rank, measured on the tensors that are there.
public struct StateBytes: Hashable, Sendable {
  /// Parameters, gathered ones and copies of another type included.
  public var parameters = 0
  public var gradients = 0
  /// What the optimizers keep for each parameter.
  public var optimizers = 0

  public var total: Int { parameters + gradients + optimizers }
}

extension ShardingEngine {
  /// Measures what this rank has now. Memory that several tensors share counts once.
  public func measureState(of optimizers: [Optimizer]) -> StateBytes {
    var seen = Set<UInt>()
    func bytes(_ tensors: [Tensor]) -> Int {
      tensors.reduce(0) { sum, tensor in
        guard tensor.device.kind != .meta, tensor.storageByteCount > 0, seen.insert(tensor.storageIdentifier).inserted
        else { return sum }
        return sum + tensor.storageByteCount
      }
    }
    var result = StateBytes()
    for unit in units {
      result.parameters += bytes([unit.full] + unit.shards)
      result.gradients += bytes((unit.leaves + unit.shards).compactMap(\.gradient) + [unit.gradients].compactMap { $0 })
    }
    for optimizer in optimizers {
      for group in optimizer.parameterGroups {
        for position in group.parameters.indices {
          result.optimizers += bytes(optimizer.state(of: position, in: group).compactMap { $0.value.tensorValue })
        }
      }
    }
    return result
  }
}
