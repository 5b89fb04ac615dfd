public import Torch

/// A call of the trainer, such as `fit`, as a launcher sees it.
///
/// A process that is a rank of the run runs it. A process that is none takes over the state in which the call left
/// rank 0: weights, metrics, progress, what callbacks know, and what the call returns.
public final class LaunchedCall<Output> {
  /// Its name, such as `fit`.
  public let name: String

  private let trainer: Trainer
  private let module: AnyLightningModule
  private let carrier: OutputCarrier<Output>
  let path: String?
  private let body: (LaunchedCall<Output>) throws -> Output
  private var isPrepared = false
  private(set) var checkpoint: Checkpoint?
  private(set) var isWorkersCall = false
  private var recorded: ArchiveValue?

  /// - Parameters:
  ///   - path: the checkpoint that the call begins with.
  ///   - body: the call in a process that is a rank.
  init(
    _ name: String, trainer: Trainer, module: AnyLightningModule, from path: String?, carrier: OutputCarrier<Output>,
    body: @escaping (LaunchedCall<Output>) throws -> Output
  ) {
    self.name = name
    self.trainer = trainer
    self.module = module
    self.path = path
    self.carrier = carrier
    self.body = body
  }

  /// Reads what the call begins with. Done before other processes are started, a wrong path is told at once.
  public func prepare() throws {
    guard !isPrepared else { return }
    checkpoint = try path.map {
      try trainer.strategy.loadCheckpoint(from: $0, weightsOnly: name != Stage.fit.rawValue)
    }
    isPrepared = true
  }

  /// Runs the call as one of the processes of the run.
  public func run() throws -> Output {
    try prepare()
    defer { checkpoint = nil }
    return try body(self)
  }

  /// Says that this process was started for the call and hands its state to another one, which shows the progress.
  public func becomeWorkersCall() {
    isWorkersCall = true
    trainer.becomeWorker()
  }

  /// Keeps the state for ``state()``. Called on all ranks as long as they can communicate.
  func record(_ output: Output) throws {
    guard isWorkersCall else { return }
    recorded = try trainer.carriedState(of: module, output: carrier.encode(output))
  }

  /// The state after the call, or as it is now when the call failed.
  public func state() throws -> ArchiveValue {
    try recorded ?? trainer.carriedState(of: module, output: .none)
  }

  /// Takes over the state that another process was left in, and returns what the call returned there.
  public func adopt(_ state: ArchiveValue) throws -> Output {
    try trainer.adopt(state, into: module)
    return try carrier.decode(state["output"] ?? .none)
  }
}
