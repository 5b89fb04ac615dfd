public import TorchOptim

/// How the ranks of ``BaguaStrategy`` keep their models together. Subclass it for an algorithm of your own.
///
/// The members are called in this order, on all ranks, on the training thread:
///
/// ```
/// problems(worldSize:numNodes:flatten:)   before processes are started
/// begin(_:)                               after the optimizers were made, all ranks with the same weights
/// per batch: willRunForward(_:synchronizing:)
///            willRunBackward(_:synchronizing:), didRunBackward(_:synchronizing:)
///            willStep(_:_:), didStep(_:_:)         after clipping; for each step of an optimizer
/// evaluation, checkpoint: abort(_:), resume(_:)
/// abort(_:), end()                        when training is over; after an error only end()
/// ```
///
/// `synchronizing` is false for a micro-batch that only accumulates gradients. Collectives go to ``BaguaRun/submit(_:)``,
/// which runs them one after the other on a thread of its own while this one computes.
///
/// ```swift
/// final class EveryTenth: BaguaAlgorithm {
///   override func didStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {
///     guard run.step % 10 == 9 else { return }
///     let weights = run.parameters.map { $0.tensor.detached() }
///     try run.perform { for weight in weights { try run.channels.world.allReduce(weight, by: .mean) } }
///   }
/// }
/// ```
///
/// See "BAGUA: Scaling up Distributed Learning with System Relaxations", https://arxiv.org/abs/2107.01499.
open class BaguaAlgorithm {
  public init() {}

  /// What messages and the plan of a run call it.
  open var name: String { "\(type(of: self))" }

  /// Whether communication goes over the first rank of each node, the ranks of a node being reduced to one before.
  open var isHierarchical: Bool { false }

  /// Whether all ranks have the same weights after each step. Where they have not, each evaluates its own, and
  /// checkpoints hold those of rank 0, which every rank starts from when training is resumed.
  open var keepsRanksEqual: Bool { true }

  /// Why a run of this size is not possible; empty when it is. Called before processes are started.
  ///
  /// - Parameter flatten: whether vectors of buckets keep their memory.
  open func problems(worldSize: Int, numNodes: Int, flatten: Bool) -> [ConfigurationError.Problem] { [] }

  /// Makes buckets and the like. Called once a fit, before the first step.
  ///
  /// - Throws: `ConfigurationError` for a model or an optimizer that does not fit.
  open func begin(_ run: BaguaRun) throws {}

  /// Called before the training step of the module.
  open func willRunForward(_ run: BaguaRun, synchronizing: Bool) throws {}

  /// Called before the gradients of a loss are computed.
  open func willRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {}

  /// Called when this rank has its gradients.
  open func didRunBackward(_ run: BaguaRun, synchronizing: Bool) throws {}

  /// Called when the whole training step of a module with manual optimization is done.
  open func didRunManualStep(_ run: BaguaRun) throws {}

  /// Called before an optimizer changes the weights.
  open func willStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {}

  /// Called after an optimizer has changed the weights, or has left the step out because a gradient is not finite.
  open func didStep(_ optimizer: Optimizer, _ run: BaguaRun) throws {}

  /// Stops what goes on in the background: before an evaluation or a checkpoint, and when training is over.
  open func abort(_ run: BaguaRun) throws {}

  /// Takes back ``abort(_:)``.
  open func resume(_ run: BaguaRun) throws {}

  /// Runs `body`, which reads the weights, while nothing in the background changes them. Without communication.
  open func whileWeightsRest<Result>(_ body: () throws -> Result) rethrows -> Result { try body() }

  /// Lets go of everything that belongs to a fit. Without communication; called also after an error.
  open func end() {}
}
