internal import Torch
internal import TorchOptim

extension DistributedOptimizer {
  /// Reduces the gradients that are not on their way yet, and waits until all are reduced: to be called before they are
  /// looked at or clipped. ``step()`` does not reduce them again.
  ///
  /// - Throws: ``HorovodError`` for too many backward passes, gradients that were dropped, ranks that do not do the same;
  ///   `DistributedError` when a rank does not answer.
  public func synchronize() throws {
    guard options.operation != .adasum else {
      throw HorovodError.misuse("Adasum reduces the updates in step(), and there are no gradients to synchronize")
    }
    try reduceGradients()
  }

  /// Runs `body`, in which ``step()`` uses the gradients as they are.
  public func skipSynchronize<Result>(_ body: () throws -> Result) throws -> Result {
    guard options.operation != .adasum else {
      throw HorovodError.misuse("Adasum reduces the updates in step(), which cannot be left out")
    }
    let outer = skipsSynchronization
    skipsSynchronization = true
    defer { skipsSynchronization = outer }
    return try body()
  }

  /// Reduces the gradients where that is still to be done, and steps; with Adasum it steps and reduces the update.
  public func step() throws {
    if options.operation == .adasum {
      try reduceUpdates { base.step() }
    } else {
      if !skipsSynchronization { try reduceGradients() }
      base.step()
    }
    isSynchronized = false
  }

  /// Drops the gradients, or fills them with zeros.
  ///
  /// - Throws: ``HorovodError`` between a backward pass and its step, when gradients are being reduced.
  public func zeroGradients(setToNone: Bool = true) throws {
    try throwFailure()
    if let pending = slots.first(where: \.isReady) {
      throw HorovodError.misuse(
        "zeroGradients() between a backward pass and its step, while the gradient of '\(pending.name)' is being reduced: "
          + "zero gradients after the step, or synchronize first")
    }
    base.zeroGradients(setToNone: setToNone)
    isSynchronized = false
  }
}
