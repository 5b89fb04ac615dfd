import Glibc
import Stratagem

extension Probe {
  func reportError() {
    switch start() {
    case 0: meetFailure()
    case 1:
      for line in 1...25 { complain("trace \(line)") }
      WorkerReport(rank: rank, kind: .error, message: "loss is \"NaN\"\nat step 7 \u{1F4A5}").send()
      exit(7)
    default: hang()
    }
  }

  func exitWithStatus() {
    switch start() {
    case 0: meetFailure()
    case 1:
      complain("cannot open data.csv")
      exit(3)
    default: hang()
    }
  }

  private var faultingAddress: UnsafeMutablePointer<Int> { UnsafeMutablePointer(bitPattern: 64)! }

  func dieBySignal() {
    switch start() {
    case 0: meetFailure()
    case processes - 1:
      // A real fault: one that is only raised does not end a program under Swift's backtracer.
      if argument.hasPrefix("SIGSEGV") { faultingAddress.pointee = 1 }
      raise(SIGKILL)
    default: hang()
    }
  }

  /// Rank 1 notices that rank 2 is gone before the supervisor can: its report comes first.
  func loseConnectionFirst() {
    switch start() {
    case 0: meetFailure()
    case 1:
      WorkerReport(rank: rank, kind: .communication, message: "connection closed by peer").send()
      mark("reported")
      exit(1)
    default:
      meet("reported", of: 1)
      raise(SIGKILL)
    }
  }

  func loseConnectionOnly() {
    switch start() {
    case 0: meetFailure()
    case 1:
      WorkerReport(rank: rank, kind: .communication, message: "connection closed by peer").send()
      exit(1)
    default: hang()
    }
  }

  func leaveEarly() {
    switch start() {
    case 0:
      while supervisor.runningRanks.contains(1) { usleep(1000) }
      let failure = supervisor.rootFailure(within: 0.1)
      print("root: \(failure.map { "\($0)" } ?? "none")")
      supervisor.abort()
      exit(Int32(failure?.exitStatus ?? 0))
    case 1: exit(0)
    default: hang()
    }
  }

  func rankZeroFails() {
    guard start() == 0 else { hang() }
    switch argument {
    case "abort":
      supervisor.abort()
      exit(4)
    case "exit": exit(4)
    case "trap": fatalError("rank 0 is broken")
    default: raise(SIGKILL)
    }
  }

  func failLate() {
    guard start() != 0 else { return mark("done") }
    meet("done", of: 0)
    usleep(200_000)
    print("rank \(rank) is still here")
    exit(5)
  }

  func straggle() {
    guard start() == 0 else { hang() }
    print("rank 0 is done")
  }

  func dieAtOnce() {
    launch()
    guard rank == 0 else { hang() }
    usleep(UInt32(argument) ?? 0)
    kill(getpid(), SIGKILL)
  }

  /// A worker that has started a helper process of its own dies.
  func leaveHelper() {
    switch start() {
    case 0: meetFailure()
    default:
      var pid: pid_t = 0
      var words: [UnsafeMutablePointer<CChar>?] = [strdup("sleep"), strdup("600"), nil]
      posix_spawnp(&pid, "sleep", nil, nil, &words, environ)
      faultingAddress.pointee = 1
      hang()
    }
  }
}
