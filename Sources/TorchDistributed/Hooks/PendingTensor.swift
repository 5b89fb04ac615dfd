public import Torch

/// A tensor that communication under way will make.
///
/// What follows a collective is said with ``map(_:)`` and, when it is another collective, with ``then(_:)``; it runs when
/// somebody waits for the result. Nothing happens on other threads, so that all ranks come to their collectives in the
/// same order.
public struct PendingTensor {
  private enum State {
    case ready(Tensor)
    /// Waits for one collective and does what follows it, up to the next one.
    case waiting(() throws -> PendingTensor)
  }

  private let state: State

  private init(_ state: State) { self.state = state }

  /// A tensor that is there already.
  public init(_ tensor: Tensor) { self.init(.ready(tensor)) }

  /// - Parameters:
  ///   - tensor: what is there when `work` is done.
  ///   - work: a collective under way.
  public init(_ tensor: Tensor, after work: Work) {
    self.init(
      .waiting {
        try work.wait()
        return PendingTensor(tensor)
      })
  }

  /// A tensor that is there when all of `works` are done.
  public init(_ tensor: Tensor, after works: [Work]) {
    self.init(
      .waiting {
        for work in works { try work.wait() }
        return PendingTensor(tensor)
      })
  }

  /// The result, when it is there.
  public var result: Tensor? {
    if case .ready(let tensor) = state { tensor } else { nil }
  }

  /// What `transform` makes of the result.
  public func map(_ transform: @escaping (Tensor) throws -> Tensor) -> PendingTensor {
    then { PendingTensor(try transform($0)) }
  }

  /// What `next`, which may begin another collective, makes of the result.
  public func then(_ next: @escaping (Tensor) throws -> PendingTensor) -> PendingTensor {
    PendingTensor(
      .waiting {
        let reached = try advanced()
        return try reached.result.map(next) ?? reached.then(next)
      })
  }

  /// What it has become after waiting for one collective.
  func advanced() throws -> PendingTensor {
    switch state {
    case .ready: self
    case .waiting(let step): try step()
    }
  }

  /// Blocks until the result is there.
  public func wait() throws -> Tensor {
    var pending = self
    while true {
      if let result = pending.result { return result }
      pending = try pending.advanced()
    }
  }
}

extension ProcessGroup {
  /// Begins to replace `tensor` on every rank by the reduction over all of them.
  public func pendingAllReduce(
    _ tensor: Tensor, by operation: ReduceOperation = .sum
  ) throws(DistributedError) -> PendingTensor {
    PendingTensor(tensor, after: try startAllReduce(tensor, by: operation))
  }
}
