internal import Torch
internal import TorchDistributed
internal import TorchNN
internal import TorchOptim

/// Optimizers that look at more than single elements.
extension ShardedStrategy {
  /// Refuses optimizers that divide or compress by themselves what is partitioned here.
  func requirePartitionableOptimizers() throws {
    let name = strategyDescription.name
    for optimizer in optimizers {
      if optimizer is ZeroRedundancyOptimizer {
        throw ConfigurationError(
          "optimizer", "ZeroRedundancyOptimizer divides the state among the ranks, and '\(name)' does so already",
          suggestion: "give OptimizerPlan the optimizer that it wraps, or use strategy 'ddp'")
      }
      if optimizer is CompressedOptimizer {
        throw ConfigurationError(
          "optimizer", "\(type(of: optimizer)) compresses whole momenta, and '\(name)' partitions them",
          suggestion: "take Adam, or strategy 'deepspeed' with \"zero_optimization\": {\"stage\": 0}")
      }
    }
  }

  /// LAMB compares the norms of whole parameters, of which each rank has some elements.
  func shareNorms() {
    guard let group, group.size > 1, !parameterPlacements.isEmpty else { return }
    let isCounted = Dictionary(
      parameterPlacements.map { (ObjectIdentifier($0.parameter), $0.isPrimary && !$0.range.isEmpty) }
    ) { first, _ in first }
    for case let optimizer as Lamb in optimizers {
      // What is not partitioned is the same on all ranks.
      let counts = optimizer.parameters.map { isCounted[ObjectIdentifier($0)] ?? (group.rank == 0) ? 1.0 : 0 }
      let mask = Tensor(counts)
      optimizer.reduceSquaredNorms = { [unowned self] squares in
        squares.multiply(by: mask)
        do { try group.allReduce(squares) } catch { normFailure = normFailure ?? error }
      }
    }
  }

  func forgetNorms() { for case let optimizer as Lamb in optimizers { optimizer.reduceSquaredNorms = nil } }
}
