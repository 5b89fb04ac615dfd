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
  /// A call in processes of its own, in a program whose standing workers run the same program.
  case standingWorkers(call: String)
  /// The process of a call came to another call than the program that started it.
  case otherCall(_ number: Int, _ expected: String?, _ found: String)
  /// There are other threads, so that the process cannot be forked.
  case cannotForkWithThreads([String])
  /// An accelerator is in use, so that the process cannot be forked.
  case cannotForkWithAccelerator(String)
  /// There is no place for the outcomes of calls.
  case noFolder(String, reason: String)
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
    case .standingWorkers(let call):
      return "\(call) with the start method spawn or fork, after a trainer of this program has started processes by "
        + "relaunch (ddp): those run the same program and would start processes, too; run the spawning trainers first, "
        + "use one start method for all, or a program each"
    case .otherCall(let number, let expected, let found):
      return "call \(number) of the program is \(expected ?? "unknown") in the process that started this one, and "
        + "\(found) here: a worker runs the same program and must come to the same calls; do not let the order of "
        + "calls depend on the rank, the time or chance"
    case .cannotForkWithThreads(let names):
      return "cannot fork: \(Self.threads(names)); a copy of the process would have their locks but not the threads. "
        + "Set OMP_NUM_THREADS=1 before the program starts, or compute nothing before the call, so that libtorch makes "
        + "no threads; end threads of your own; or use ddp_spawn, which needs no fork"
    case .cannotForkWithAccelerator(let device):
      return "cannot fork: an accelerator is in use (\(device) is open), and a copy of the process could not use it. "
        + "Touch the accelerator only inside the call, or use ddp_spawn, which needs no fork"
    case .noFolder(let path, let reason):
      return "cannot make a folder for the outcomes of calls in \(path): \(reason); set TMPDIR to a writable folder"
    case .cannotStart(let rank, let program, let reason):
      return "cannot start the worker with local rank \(rank) from \(program): \(reason)"
    }
  }

  /// Such as "2 threads exist besides this one ('worker', 'probe')".
  private static func threads(_ names: [String]) -> String {
    let kinds = Dictionary(names.map { ($0, 1) }, uniquingKeysWith: +).sorted { $0.key < $1.key }
    let list = kinds.map { "'\($0.key)'" + ($0.value == 1 ? "" : " \($0.value) times") }.joined(separator: ", ")
    let own = WorkerProcess.program.split(separator: "/").last.map { String($0.prefix(15)) } ?? ""
    let pool = names.contains(own) ? "; those named like the program are most likely libtorch's OpenMP pool" : ""
    return (names.count == 1 ? "another thread exists" : "\(names.count) other threads exist") + " (\(list)\(pool))"
  }
}
