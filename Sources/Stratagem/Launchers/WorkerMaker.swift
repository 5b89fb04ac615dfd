internal import TorchDistributed

/// How a ``CallLauncher`` makes the processes of a call.
protocol WorkerMaker {
  /// Why no processes can be made now; called before anything is started.
  func check() throws(LaunchError)

  /// Makes a process of this node for each task.
  ///
  /// - Parameter reservation: the port of the store, which a process that is a copy of this one has to give up.
  func make(
    _ tasks: [CallTask], options: SupervisorOptions, reservation: StoreReservation?
  ) throws(LaunchError) -> MadeWorkers

  /// What a process does just before the call begins in it.
  func begin(_ task: CallTask)
}

/// Where making the workers returns.
enum MadeWorkers {
  /// In the process that made them; the supervisor watches over them.
  case inMain(Supervisor)
  /// In a worker that is a copy of it.
  case inWorker(CallTask)
}
