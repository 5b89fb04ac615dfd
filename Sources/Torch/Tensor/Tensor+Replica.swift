internal import CTorch

extension Tensor {
  /// A leaf on the same storage whose gradient is its own; it requires one if this tensor does.
  package func replicaAlias() -> Tensor {
    guard let handle = ct_replica_alias(handle) else { return Failure("replicaAlias").argument("self", self).record() }
    return Tensor(owning: handle)
  }

  /// A copy on `device` that is part of no graph, even in inference mode.
  package func replicaCopy(on device: Device) -> Tensor {
    guard let handle = ct_replica_copy(handle, device.raw) else {
      return Failure("replicaCopy").argument("self", self).record()
    }
    return Tensor(owning: handle)
  }

  /// How often the numbers were changed in place, by whatever tensor shares them; -1 when nobody counts.
  package var version: Int64 { ct_tensor_version(handle) }
}

/// Brings the gradients of replicas together.
package final class GradientCollector {
  private let targets: [Tensor]
  private let sources: [Tensor]
  private let targetHandles: [OpaquePointer?]
  private let sourceHandles: [OpaquePointer?]

  /// - Parameters:
  ///   - targets: where the sums go.
  ///   - sources: of replica 1, then of replica 2 and so on, each in the order of `targets`.
  package init(targets: [Tensor], sources: [Tensor]) {
    self.targets = targets
    self.sources = sources
    targetHandles = targets.map(\.handle)
    sourceHandles = sources.map(\.handle)
  }

  /// Adds the gradients of the first `replicas` lists of sources to those of the targets, replica after replica, and
  /// takes them away from the sources.
  ///
  /// - Parameter positions: which targets to do; threads may share the work.
  package func collect(replicas: Int, positions: [Int]) {
    let succeeded = ct_take_gradients(
      targetHandles, sourceHandles, targets.count, replicas, positions, positions.count)
    if !succeeded { Failure("sum of gradients over replicas").argument("parameters", targets).record() }
  }
}
