/// The environment variables between the launcher and its workers.
enum WorkerVariable {
  static let mainAddress = "MASTER_ADDR"
  static let mainPort = "MASTER_PORT"
  static let globalRank = "RANK"
  static let localRank = "LOCAL_RANK"
  static let nodeRank = "NODE_RANK"
  static let groupRank = "GROUP_RANK"
  static let worldSize = "WORLD_SIZE"
  static let localWorldSize = "LOCAL_WORLD_SIZE"
  static let threadCount = "OMP_NUM_THREADS"
  static let backtrace = "SWIFT_BACKTRACE"
  static let elasticRunID = "TORCHELASTIC_RUN_ID"

  /// The process id of the process that supervises this worker.
  static let supervisor = "STRATAGEM_SUPERVISOR"
  /// The process id of the `stratagem launch` that started this process.
  static let launcher = "STRATAGEM_LAUNCHER"
  /// The run's identity, the same on all ranks.
  static let runID = "STRATAGEM_RUN_ID"
  /// The folder with the outcomes of the calls that ran in processes of their own.
  static let calls = "STRATAGEM_CALLS"
  /// What a process that was started for one call has to do; see `CallTask`.
  static let task = "STRATAGEM_TASK"

  /// Not a variable but a fact of this process: the process id of its parent, for MPI.
  static let parent = "STRATAGEM_PARENT"
  /// Not a variable but a fact of this process: the hosts in LSF's rank file.
  static let hosts = "STRATAGEM_HOSTS"
  /// Not a variable but a fact of this process: the name of its machine, for LSF.
  static let hostName = "STRATAGEM_HOSTNAME"
}
