import Glibc
import Stratagem

extension Probe {
  func succeed() {
    start()
    print("rank \(rank) of \(launcher.identity.worldSize) is done")
  }

  /// Prints what this process finds around itself.
  func describe() {
    if !WorkerProcess.isWorker {
      signal(SIGUSR1, SIG_IGN)
      _ = open("/dev/null", O_RDONLY)  // without O_CLOEXEC
    }
    start()
    let names = [
      "MASTER_ADDR", "MASTER_PORT", "RANK", "LOCAL_RANK", "NODE_RANK", "WORLD_SIZE", "LOCAL_WORLD_SIZE",
      "OMP_NUM_THREADS", "STRATAGEM_RUN_ID", "STRATAGEM_PROBE_EXTRA",
    ]
    let variables = ClusterEnvironments.processVariables
    for name in names { print("\(name)=\(variables[name] ?? "unset")") }
    print("threads=\(launcher.threadsPerProcess.map { "\($0)" } ?? "given")")
    print("worker=\(WorkerProcess.isWorker)")
    print("own group=\(getpgrp() == getpid())")
    print("input ended=\(getchar() == EOF)")
    let open = (0..<256).filter { fcntl($0, F_GETFD) >= 0 }
    print("descriptors=\(open)")
    var action = sigaction()
    sigaction(SIGUSR1, nil, &action)
    print("default handlers=\(action.__sigaction_handler.sa_handler == nil)")
  }

  func printLines() {
    start()
    let count = Int(argument) ?? 0
    for line in 0..<count {
      let text = "rank \(rank) line \(line) " + String(repeating: "\(rank)", count: line % 97) + " end"
      print(text)
      if line.isMultiple(of: 10) { complain(text) }
    }
  }

  func printPartialLine() {
    start()
    guard rank == 1 else { return }
    print("whole line")
    print("no newline", terminator: "")
  }

  func printLongLine() {
    start()
    guard rank == 1 else { return }
    print(String(repeating: "x", count: 200_000) + "!")
  }

  func launchTwice() {
    start()
    let again = RelaunchLauncher(ProcessLayout(processesPerNode: processes))
    do {
      try again.startWorkers(port: 1)
      print("rank \(rank) launched again: \(again.isLaunched)")
    } catch {
      print("rank \(rank) failed: \(error)")
    }
    let other = RelaunchLauncher(ProcessLayout(processesPerNode: processes + 1))
    do {
      try other.startWorkers(port: 1)
      print("rank \(rank) launched another size")
    } catch {
      print("rank \(rank) refused: \(error)")
    }
  }

  func waitForWorkers() {
    guard start() == 0 else {
      usleep(50_000)
      print("worker is done")
      exit(argument == "failing" ? 9 : 0)
    }
    do {
      let killed = try supervisor.waitForWorkers()
      print("all have ended, killed: \(killed)")
      print("another: \(supervisor.rootFailure(within: 0).map { "\($0)" } ?? "no failure")")
    } catch {
      print("thrown: \(error)")
    }
    do {
      try launcher.startWorkers(port: 1)
    } catch {
      print("refused: \(error)")
    }
  }

  func awaitInterrupt() {
    guard start() == 0 else { hang() }
    InterruptMonitor.shared.watching {
      mark("watching")
      while true {
        if argument == "polling", let signal = InterruptMonitor.shared.signal {
          print("stopping for \(signal)")
          supervisor.abort()
          exit(Int32(128 + signal))
        }
        usleep(1000)
      }
    }
  }

  func hangForever() {
    start()
    mark("watching")
    hang()
  }
}
