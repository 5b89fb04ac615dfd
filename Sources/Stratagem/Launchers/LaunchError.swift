/// Why the processes of a run could not be started.
public enum LaunchError: Error, Sendable, Hashable, CustomStringConvertible {
  /// `LOCAL_RANK` says that this is a worker, but nobody we know started it.
  case foreignLocalRank(Int)
  /// The program started workers for another number of processes before.
  case differentSize(running: Int, asked: Int)
  /// A worker's program asks for another number of processes than the process that started it.
  case workerDisagrees(localRank: Int, startedFor: Int, asked: Int)
  /// The workers were started and have ended.
  case workersHaveEnded
  /// A number of processes, nodes or a node's rank that makes no run.
  case invalidLayout(String)
  /// The operating system refused to start a worker.
  case cannotStart(localRank: Int, program: String, reason: String)

  public var description: String {
    switch self {
    case .foreignLocalRank(let rank):
      return "LOCAL_RANK is \(rank), but this process was started neither by Stratagem nor by torchrun: unset "
        + "LOCAL_RANK to let Stratagem start the workers, or start all processes with `torchrun --nproc-per-node N`, "
        + "which sets RANK, WORLD_SIZE, LOCAL_RANK, MASTER_ADDR and MASTER_PORT"
    case .differentSize(let running, let asked):
      return "the workers of this program were started for \(running) processes on this machine, and a later trainer "
        + "asks for \(asked): worker processes run the same program from its start, so all multi-process trainers of "
        + "one program must have the same devices and numNodes; use \(running) here, or a program of its own"
    case .workerDisagrees(let rank, let startedFor, let asked):
      return "local rank \(rank) was started as one of \(startedFor) processes, but its own program asks for "
        + "\(asked): all processes run the same program and must make the same trainer; do not let devices or "
        + "numNodes depend on the rank, the time or chance"
    case .workersHaveEnded:
      return "the worker processes of this program have ended, and a later trainer asks for them again: make every "
        + "trainer before the first one is torn down for good, or use a program of its own"
    case .invalidLayout(let text):
      return text
    case .cannotStart(let rank, let program, let reason):
      return "cannot start the worker with local rank \(rank) from \(program): \(reason)"
    }
  }

  var asEnvironmentError: ClusterEnvironmentError { ClusterEnvironmentError(description) }
}
