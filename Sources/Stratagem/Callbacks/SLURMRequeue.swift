internal import Glibc

/// Lets a SLURM job go on in the next one when its time runs out.
///
/// When SLURM sends the signal (`#SBATCH --signal=USR1@90`: 90 s before the end), the state goes into
/// `hpc_ckpt_<n>.ckpt` in the trainer's output folder, rank 0 runs `scontrol requeue` for the job, and the fit ends after
/// the present step. In the requeued job `fit` goes on from the newest of these files by itself.
///
/// ```swift
/// let trainer = try Trainer(callbacks: [SLURMRequeue()], output: "runs/big")
/// ```
///
/// The output folder must be the same in both jobs. Outside of a SLURM job the callback does nothing. On several ranks they
/// ask each other after every step whether one of them was told, which costs one small collective.
public final class SLURMRequeue: Callback {
  /// The number of the signal; 10 is `SIGUSR1`.
  public let signal: Int32
  private var jobID: String?
  private var previous: sigaction?

  public init(signal: Int32 = 10) { self.signal = signal }

  /// The job that the variables tell of; an element of an array as SLURM names it.
  static func jobID(_ environment: [String: String]) -> String? {
    if let array = environment["SLURM_ARRAY_JOB_ID"], let task = environment["SLURM_ARRAY_TASK_ID"] {
      return "\(array)_\(task)"
    }
    return environment["SLURM_JOB_ID"].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// Whether this is a job, so that a checkpoint of an earlier one is to be gone on from.
  static var isInJob: Bool { jobID(ClusterEnvironments.processVariables) != nil }

  public override func onTrainStart(_ trainer: Trainer) throws {
    // Every rank asks after each step, or none.
    jobID = try trainer.strategy.broadcast(Self.jobID(ClusterEnvironments.processVariables))
    guard jobID != nil, previous == nil else { return }
    var current = sigaction()
    sigaction(signal, nil, &current)
    guard current.__sigaction_handler.sa_handler == nil else {
      trainer.announce("note: signal \(signal) has a handler of the program's, so SLURMRequeue leaves it alone")
      return
    }
    SignalFlag.clear()
    var action = sigaction()
    action.__sigaction_handler.sa_handler = { _ in SignalFlag.raise() }
    action.sa_flags = SA_RESTART
    sigaction(signal, &action, nil)
    previous = current
  }

  public override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    guard let jobID, trainer.isStepBoundary, !trainer.shouldStop else { return }
    guard try trainer.strategy.reduceDecision(SignalFlag.isRaised, all: false) else { return }
    let path = trainer.hpcPath((trainer.newestHPCNumber ?? 0) + 1)
    try trainer.saveCheckpoint(to: try trainer.strategy.broadcast(path))
    if trainer.isGlobalZero {
      try trainer.strategy.storage.tearDown()
      let status = Command.run("scontrol", ["requeue", jobID])
      trainer.announce(
        status == 0
          ? "note: job \(jobID) is requeued and will go on from \(path)"
          : "note: 'scontrol requeue \(jobID)' failed (\(status)); requeue the job yourself, it will go on from \(path)"
      )
    }
    trainer.shouldStop = true
  }

  public override func teardown(_ trainer: Trainer, _ stage: Stage) {
    guard var previous else { return }
    sigaction(signal, &previous, nil)
    self.previous = nil
  }
}

/// A flag that a signal handler may set.
private enum SignalFlag {
  private nonisolated(unsafe) static let storage: UnsafeMutablePointer<sig_atomic_t> = {
    let pointer = UnsafeMutablePointer<sig_atomic_t>.allocate(capacity: 1)
    pointer.pointee = 0
    return pointer
  }()

  static var isRaised: Bool { storage.pointee != 0 }
  static func raise() { storage.pointee = 1 }
  /// Also makes the storage, so that the handler finds it.
  static func clear() { storage.pointee = 0 }
}

/// A program that is run to its end.
private enum Command {
  /// Runs a program found in PATH; the exit status, or 127 when there is none.
  static func run(_ program: String, _ arguments: [String]) -> Int32 {
    var words: [UnsafeMutablePointer<CChar>?] = ([program] + arguments).map { strdup($0) } + [nil]
    defer { for word in words { free(word) } }
    var pid = pid_t()
    guard posix_spawnp(&pid, program, nil, nil, &words, environ) == 0 else { return 127 }
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0 { if errno != EINTR { return 127 } }
    return status & 0x7f == 0 ? (status >> 8) & 0xff : 128 + (status & 0x7f)
  }
}
