public import Torch

/// Collectives by name over all ranks of the run, as Horovod's API has them; those of some ranks are the same functions of a
/// ``ProcessSet``.
extension HorovodStrategy {
  /// See ``ProcessSet/allreduce(_:name:operation:prescale:postscale:compression:)``.
  public func allreduce(
    _ tensor: Tensor, name: String, operation: HorovodOperation = .average, prescale: Double = 1, postscale: Double = 1,
    compression: GradientCompression = .none
  ) throws -> Tensor {
    try everyone(name).allreduce(
      tensor, name: name, operation: operation, prescale: prescale, postscale: postscale, compression: compression)
  }

  /// See ``ProcessSet/startAllreduce(_:name:operation:prescale:postscale:compression:)``.
  public func startAllreduce(
    _ tensor: Tensor, name: String, operation: HorovodOperation = .average, prescale: Double = 1, postscale: Double = 1,
    compression: GradientCompression = .none
  ) throws -> HorovodHandle {
    try everyone(name).startAllreduce(
      tensor, name: name, operation: operation, prescale: prescale, postscale: postscale, compression: compression)
  }

  /// See ``ProcessSet/allgather(_:name:)``.
  public func allgather(_ tensor: Tensor, name: String) throws -> Tensor {
    try everyone(name).allgather(tensor, name: name)
  }

  /// See ``ProcessSet/broadcast(_:name:root:)``.
  public func broadcast(_ tensor: Tensor, name: String, root: Int = 0) throws -> Tensor {
    try everyone(name).broadcast(tensor, name: name, root: root)
  }

  /// See ``ProcessSet/alltoall(_:name:splits:)``.
  public func alltoall(_ tensor: Tensor, name: String, splits: [Int]? = nil) throws -> (rows: Tensor, splits: [Int]) {
    try everyone(name).alltoall(tensor, name: name, splits: splits)
  }

  /// See ``ProcessSet/join(_:)``.
  ///
  /// - Parameter optimizers: what the ranks step; the strategy's own when left out.
  @discardableResult
  public func join(_ optimizers: [DistributedOptimizer]? = nil) throws -> Int {
    try everyone("join").join(optimizers ?? distributedOptimizers)
  }

  private func everyone(_ name: String) throws -> ProcessSet {
    guard let world else {
      throw HorovodError.misuse("'\(name)' is to cross the ranks outside of a run, where there are none")
    }
    return world
  }
}
