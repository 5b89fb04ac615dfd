/// How the processes of a run come to exist, and in which of them a call such as `fit` runs.
///
/// A strategy makes its launcher in ``Strategy/configureLauncher()``. For every call the trainer asks the launcher to
/// ``launch(_:)`` it. This launcher runs the call in the process at hand; see ``RelaunchLauncher``, ``SpawnLauncher``,
/// ``ForkLauncher`` and ``ExternalLauncher`` for runs of several processes. A launcher of one's own subclasses one of
/// them, or ``ProcessLauncher``.
open class Launcher {
  /// Makes a launcher.
  public init() {}

  /// Whether the processes are started by someone else (torchrun, a cluster), so that `launch` starts none.
  open var processesAreCreatedExternally: Bool { false }

  /// Whether the workers that another trainer of the program started repeat this trainer's calls by themselves, without
  /// writing files, because they run the same program.
  open var isRepeatedInWorkers: Bool { true }

  /// Whether calls run in other processes only, so that the state of training is not here.
  open var hasTrainingElsewhere: Bool { false }

  /// What watches over the workers; `nil` in a worker and where nothing was started.
  open var supervisor: Supervisor? { nil }

  /// The place of this process among those of the run; nil for a run of one process, and before there is a run.
  public final var world: ProcessWorld?

  /// Receives the lines that workers print; nil writes them to this process's own output behind a tag.
  public final var outputHandler: (@Sendable (WorkerOutputLine) -> Void)?

  /// Makes the processes exist, runs the call in each of them, and returns what it returned.
  ///
  /// - Throws: `LaunchError`, or the error that ended the run: that of the process that caused it, wherever it was.
  open func launch<Output>(_ call: LaunchedCall<Output>) throws -> Output { try call.run() }

  /// Finds whose failure ended a run, and ends the other processes.
  ///
  /// Called when the call fails in this process, before connections are closed and callbacks are told.
  open func cause(of error: any Error) -> any Error { error }

  /// Called after the callbacks were told of an error. A worker tells its supervisor and ends here.
  open func leave(with error: any Error) {}
}
