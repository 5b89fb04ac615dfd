import Foundation
import Testing

@Suite("stratagem launch")
struct LaunchTests {
  private func launch(
    _ flags: [String], _ program: [String], environment: [String: String] = [:],
    act: (StartedProgram) throws -> Void = { _ in }
  ) throws -> ProgramRun {
    try ProgramRun("stratagem", ["launch"] + flags + program, environment: environment, act: act)
  }

  private func shell(_ script: String) -> [String] { ["sh", "-c", script] }

  @Test("Every process gets its place and torchrun's variables", arguments: [1, 2, 3])
  func variables(ranks: Int) throws {
    let script = """
      echo "$RANK $LOCAL_RANK $WORLD_SIZE $LOCAL_WORLD_SIZE $GROUP_RANK $GROUP_WORLD_SIZE $MASTER_ADDR \
      $TORCHELASTIC_RESTART_COUNT $TORCHELASTIC_RUN_ID $OMP_NUM_THREADS $1"
      test "$MASTER_PORT" -gt 0
      """
    let run = try launch(
      ["--nproc_per_node=\(ranks)", "--standalone", "--rdzv-id", "job7"], shell(script) + ["sh", "--nnodes"]
    ).succeeded()
    #expect(
      run.outputLines.sorted()
        == (0..<ranks).map { "[rank \($0)] \($0) \($0) \(ranks) \(ranks) 0 1 127.0.0.1 0 job7 1 --nnodes" })
    #expect(run.errors == "")
  }

  @Test("A training program finds the others and trains as when it starts them itself", arguments: [1, 2, 3])
  func training(ranks: Int) throws {
    let folder = try TemporaryFolder()
    func fit(_ output: String) -> [String] {
      [
        "fit", "--strategy", "ddp", "--accelerator", "cpu", "--devices", "\(ranks)", "--batch-size", "\(48 / ranks)",
        "--epochs", "1", "--trainer.limitTrainBatches=6", "--json", "--output", "\(folder.path)/\(output)",
      ]
    }
    let alone = try ProgramRun("digits", fit("alone")).succeeded()
    let launched = try launch(
      ["--nproc-per-node", "\(ranks)"], [try Repository.program("digits")] + fit("launched")
    ).succeeded()
    let line = try #require(launched.outputLines.first)
    #expect(launched.outputLines.count == 1 && line.hasPrefix("[rank 0] {"))
    let json = try JSONDecoder().decode([String: JSONMember].self, from: Data(line.dropFirst(9).utf8))
    #expect(json["val/loss"] == (try alone.json()["val/loss"]))
    #expect(json["steps"]?.number == 6)
  }

  @Test("The first failure ends all, with its rank, its words and its status")
  func failure() throws {
    let script = "if [ $RANK = 1 ]; then echo 'it broke' >&2; exit 7; fi; sleep 60"
    let start = Date()
    let run = try launch(["--nproc-per-node", "3"], shell(script))
    #expect(run.status == 7)
    #expect(
      run.errorLines == ["[rank 1] it broke", "stratagem: rank 1 ended with exit status 7; it printed: it broke"])
    #expect(Date().timeIntervalSince(start) < 30)
    let killed = try launch(["--nproc-per-node", "2"], shell("if [ $RANK = 0 ]; then kill -SEGV $$; fi; sleep 60"))
    #expect(killed.status == 139)
    #expect(killed.errors.contains("stratagem: rank 0 was killed by SIGSEGV"))
  }

  @Test("A training program that fails on one rank names that rank and its error, not the echo of the others")
  func trainingFailure() throws {
    let folder = try TemporaryFolder()
    let run = try launch(
      ["--nproc-per-node", "2"],
      [try Repository.program("training-probe"), "fit", "2", folder.path, "epochs=1", "fault=throw", "rank=1"])
    #expect(run.status == 1)
    #expect(run.errorLines.filter { $0.hasPrefix("stratagem: ") }.count == 1)
    #expect(run.errors.contains("stratagem: rank 1 failed: "))
  }

  @Test("Processes do not outlive a launcher that is killed")
  func orphans() throws {
    let run = try launch(["--nproc-per-node", "2"], shell("echo ready; sleep 60")) { program in
      try program.wait { program.output.components(separatedBy: "ready").count == 3 }
      kill(program.pid, SIGKILL)
    }
    #expect(run.status == 137)
  }

  @Test("Nor one that is killed while it starts them")
  func earlyOrphans() throws {
    let script = "sleep 60 & if [ $RANK = 0 ]; then kill -9 $PPID; fi; wait"
    #expect(try launch(["--nproc-per-node", "16"], shell(script)).status == 137)
  }

  @Test(
    "Ctrl-C reaches all processes, and how they end is no failure", arguments: [SIGINT, SIGTERM])
  func interruption(signal: Int32) throws {
    let script = """
      trap 'echo asked; exit 3' INT TERM
      echo ready
      while :; do sleep 0.05; done
      """
    let run = try launch(["--nproc-per-node", "3"], shell(script)) { program in
      try program.wait { program.output.components(separatedBy: "ready").count == 4 }
      kill(program.pid, signal)
    }
    #expect(run.status == 128 + Int(signal))
    #expect(run.outputLines.filter { $0.contains("asked") }.sorted() == (0...2).map { "[rank \($0)] asked" })
    #expect(!run.errors.contains("ended with exit status"))
  }

  @Test("A training run that is interrupted saves a checkpoint")
  func interruptedTraining() throws {
    let folder = try TemporaryFolder()
    let run = try launch(
      ["--nproc-per-node", "2"],
      [
        try Repository.program("digits"), "fit", "--strategy", "ddp", "--devices", "2", "--epochs", "10000", "--output",
        folder.path,
      ]
    ) { program in
      try program.wait { folder.text("metrics.csv").contains("\n0,") }
      kill(program.pid, SIGINT)
    }
    #expect(run.status == 130)
    #expect(folder.names().contains("last.ckpt"))
  }

  @Test("All processes start again after a failure, as often as was said")
  func restarts() throws {
    let folder = try TemporaryFolder()
    // Rank 1 fails when rank 0 has said its line.
    let script = """
      echo try $TORCHELASTIC_RESTART_COUNT
      said=\(folder.path)/$TORCHELASTIC_RESTART_COUNT
      if [ $TORCHELASTIC_RESTART_COUNT = 2 ]; then exit 0; fi
      if [ $RANK = 0 ]; then touch $said; sleep 60; fi
      until [ -e $said ]; do sleep 0.01; done
      exit 5
      """
    let run = try launch(["--nproc-per-node", "2", "--max-restarts", "2"], shell(script)).succeeded()
    for attempt in 0...2 {
      for rank in 0...1 { #expect(run.outputLines.contains("[rank \(rank)] try \(attempt)")) }
    }
    #expect(run.errors.contains("stratagem: starting all processes again, restart 2 of 2\n"))
    let exhausted = try launch(
      ["--nproc-per-node", "2", "--max-restarts", "1"], shell("[ $RANK = 0 ] || exit 5; sleep 60"))
    #expect(exhausted.status == 5)
    #expect(exhausted.errors.components(separatedBy: "ended with exit status 5").count == 3)
  }

  @Test("A training program starts again from scratch, on a store of its own")
  func restartedTraining() throws {
    let folder = try TemporaryFolder()
    let program = try Repository.program("digits")
    let script = """
      if [ $TORCHELASTIC_RESTART_COUNT = 0 ]; then
        [ $RANK = 0 ] || { sleep 0.5; exit 9; }
      fi
      exec \(program) fit --strategy ddp --devices 2 --epochs 1 --output \(folder.path)
      """
    let run = try launch(["--nproc-per-node", "2", "--max-restarts", "1"], shell(script)).succeeded()
    #expect(run.errors.contains("rank 1 ended with exit status 9"))
    #expect(folder.names().contains("last.ckpt"))
  }

  @Test("What ranks print also goes to files, or only there")
  func logs() throws {
    let folder = try TemporaryFolder()
    let script = "echo out $RANK; echo err $RANK >&2"
    try launch(["--nproc-per-node", "2", "--log-dir", "\(folder.path)/log"], shell(script)).succeeded()
    #expect(folder.text("log/rank1.stdout.log") == "out 1\n")
    #expect(folder.text("log/rank0.stderr.log") == "err 0\n")
    let quiet = try launch(
      ["--nproc-per-node", "2", "--log-dir", folder.path, "--redirects", "1"], shell(script)
    ).succeeded()
    #expect(quiet.output == "")
    #expect(quiet.errorLines.sorted() == ["[rank 0] err 0", "[rank 1] err 1"])
  }

  @Test("A limit of file sizes: the program runs to its end, and the error names file and limit")
  func fileSizes() throws {
    let folder = try TemporaryFolder()
    let script = "for i in 1 2 3 4 5 6 7 8 9; do printf '%0250d\\n' $i; done; echo $RANK >'\(folder.path)/end'$RANK"
    func limited(_ flags: [String], _ ends: String = "") throws -> ProgramRun {
      try ProgramRun(
        "stratagem", ["launch", "--nproc-per-node", "2"] + flags + shell(script), shell: "ulimit -f 1\(ends)")
    }
    let limit = "cannot be written: File too large; files of this process may have 1024 bytes (ulimit -f)"
    let logs = try limited(["--log-dir", "\(folder.path)/log", "--redirects", "1"])
    #expect(logs.status == 1)
    #expect(logs.errorLines.filter { $0.hasPrefix("Error: ") && $0.hasSuffix(".stdout.log: \(limit)") }.count == 1)
    #expect([0, 1].map { folder.text("end\($0)") } == ["0\n", "1\n"])
    #expect(folder.text("log/rank1.stdout.log").utf8.count == 1024)
    let output = try limited([], "; exec >'\(folder.path)/output'")
    #expect(output.status == 1)
    #expect(output.errorLines.last == "Error: standard output: \(limit)")
  }

  @Test("Two machines meet, end together, and fail together")
  func machines() throws {
    func meet(_ program: String, _ flags: String = "", second: String = "--nproc-per-node 2") throws -> ProgramRun {
      let script = """
        common="launch --nnodes 2 --master-addr 127.0.0.1 --master-port \(try NodeRuns.freePort()) \(flags)"
        "$0" $common --node-rank 1 \(second) sh -c '\(program)' &
        other=$!
        "$0" $common --node-rank 0 --nproc-per-node 2 sh -c '\(program)'
        first=$?
        wait $other
        echo "status $first $?"
        exit 0
        """
      return try ProgramRun("stratagem", [], shell: script).succeeded()
    }
    let place = try meet("echo $RANK $LOCAL_RANK $GROUP_RANK $WORLD_SIZE $TORCHELASTIC_RUN_ID", "--rdzv-id x")
    #expect(
      place.outputLines.sorted() == [
        "[rank 0] 0 0 0 4 x", "[rank 1] 1 1 0 4 x", "[rank 2] 2 0 1 4 x", "[rank 3] 3 1 1 4 x", "status 0 0",
      ])
    let failed = try meet("[ $RANK = 3 ] && exit 6; sleep 60")
    #expect(failed.outputLines.last == "status 6 6")
    #expect(failed.errors.contains("stratagem: machine 1: rank 3 ended with exit status 6\n"))
    let again = try meet(
      "[ $TORCHELASTIC_RESTART_COUNT$RANK = 03 ] && exit 6; [ $TORCHELASTIC_RESTART_COUNT = 1 ] || sleep 60; echo end",
      "--max-restarts 1")
    #expect(again.outputLines.last == "status 0 0")
    #expect(again.outputLines.filter { $0.hasSuffix("end") }.count == 4)
    let uneven = try meet("exit 0", second: "--nproc-per-node 1")
    #expect(uneven.outputLines.last == "status 1 1")
    #expect(uneven.errors.contains("machine 1 starts 1 processes and this one 2; give the same --nproc-per-node"))
  }

  @Test("Whoever failed first is the cause, also when the launcher sees it late")
  func lateLauncher() throws {
    let folder = try TemporaryFolder()
    // Ranks 2 and 1 fail, in this order, while the launcher is stopped.
    let script = """
      cd \(folder.path)
      state() { read -r _ _ state _ </proc/$1/stat; [ "$state" = $2 ]; }
      if [ $RANK != 0 ]; then
        echo $$ >new$RANK; mv new$RANK pid$RANK
        until [ -e go$RANK ]; do sleep 0.01; done
        exit $RANK
      fi
      until [ -e pid1 ] && [ -e pid2 ]; do sleep 0.01; done
      kill -STOP $PPID
      until state $PPID T; do sleep 0.01; done
      for rank in 2 1; do
        touch go$rank
        until state $(cat pid$rank) Z; do sleep 0.01; done
      done
      kill -CONT $PPID
      sleep 60
      """
    let run = try launch(["--nproc-per-node", "3"], shell(script))
    #expect(run.status == 2)
    #expect(run.errors == "stratagem: rank 2 ended with exit status 2\n")
  }

  @Test("What a failed process printed is part of the message, also when the reader of the output is slow")
  func slowReader() throws {
    let folder = try TemporaryFolder()
    let program = "[ $RANK = 0 ] && sleep 60; cd \(folder.path); seq 12000; sleep 0.3; echo why >&2; touch end; exit 7"
    let script = """
      set -o pipefail
      "$0" launch --nproc-per-node 2 sh -c '\(program)' | {
        until [ -e \(folder.path)/end ]; do sleep 0.01; done
        sleep 0.7
        cat >/dev/null
      }
      exit $?
      """
    let run = try ProgramRun("stratagem", [], shell: script)
    #expect(run.status == 7)
    #expect(run.errorLines == ["[rank 1] why", "stratagem: rank 1 ended with exit status 7; it printed: why"])
  }

  @Test("Nothing of the output is lost when its reader takes longer than the run")
  func slowestReader() throws {
    let folder = try TemporaryFolder()
    // It fits into the pipe to the launcher, but with the tags not into the one to the reader.
    let program = "seq 10000; touch \(folder.path)/end"
    let script = """
      "$0" launch sh -c '\(program)' | { until [ -e \(folder.path)/end ]; do sleep 0.01; done; sleep 2; cat; } | wc -l
      exit 0
      """
    #expect(try ProgramRun("stratagem", [], shell: script).succeeded().output == "10000\n")
  }

  @Test("A machine that is stopped while all come to the end ends well")
  func stoppedMachine() throws {
    let folder = try TemporaryFolder()
    let program = "[ $RANK = 1 ] || until [ -e \(folder.path)/go ]; do sleep 0.01; done"
    let script = """
      common="launch --nnodes 2 --master-addr 127.0.0.1 --master-port \(try NodeRuns.freePort())"
      "$0" $common --node-rank 0 sh -c '\(program)' & first=$!
      "$0" $common --node-rank 1 sh -c 'touch \(folder.path)/started; exit 0' & second=$!
      until [ -e \(folder.path)/started ]; do sleep 0.01; done
      sleep 0.5
      kill -STOP $second
      touch \(folder.path)/go
      sleep 6
      kill -CONT $second
      wait $first; status=$?
      wait $second
      echo "status $status $?"
      exit 0
      """
    #expect(try ProgramRun("stratagem", [], shell: script).succeeded().output == "status 0 0\n")
  }

  @Test(
    "Wrong flags",
    arguments: [
      ([], "there is no program to start; write `stratagem launch --nproc-per-node 2 PROGRAM ARGUMENTS`"),
      (["--nproc-per-node", "0", "true"], "--nproc-per-node is 0; give 1 to 4096, auto, gpu or cpu"),
      (["--nproc-per-node", "many", "true"], "--nproc-per-node is many; give 1 to 4096, auto, gpu or cpu"),
      (
        ["--nnodes", "1:2", "true"],
        "--nnodes is 1:2, and the number of machines does not change during a run; give one number"
      ),
      (["--node-rank", "2", "true"], "--node-rank is 2 of 1; give a number from 0 to 0"),
      (
        ["--nnodes", "2", "--node-rank", "0", "true"],
        "a run on 2 machines needs --master-addr and --master-port, the same on each; for example --master-addr "
          + "<address of machine 0> --master-port 29500"
      ),
      (["--max_restarts", "-1", "true"], "--max-restarts is -1; give a number of 0 or more"),
      (["no-such-program"], "there is no program no-such-program in PATH; give its path, such as ./no-such-program"),
      (["/proc/self/status"], "/proc/self/status cannot be started: Permission denied; name an executable file"),
      (["./train.py"], "./train.py cannot be started: No such file or directory; write `python3 ./train.py`"),
      (["--redirects", "3", "true"], "--redirects is 3; give 0 to 3, and a --log-dir for what is redirected"),
      (
        ["--frobnicate", "true"],
        "there is no flag --frobnicate; put flags of the program behind its name; see `stratagem launch --help`"
      ),
      (["--rdzv-backend", "etcd", "true"], "--rdzv-backend is etcd; give c10d or static"),
    ])
  func wrongFlags(flags: [String], message: String) throws {
    let run = try launch(flags, [])
    #expect(run.status == 1)
    #expect(run.errors == "Error: \(message)\n")
  }

  @Test("A port that is taken")
  func takenPort() throws {
    let script = """
      exec 3< <(python3 -c '
      import socket, sys, time
      s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1); print(s.getsockname()[1], flush=True); time.sleep(60)')
      holder=$!
      read port <&3
      "$0" launch --master-port $port true
      status=$?
      kill $holder
      exit $status
      """
    let run = try ProgramRun("stratagem", [], shell: script)
    #expect(run.status == 1)
    #expect(run.errors.contains("leave out --master-port to take any free port"))
  }

  @Test("auto and cpu are numbers of this machine")
  func counts() throws {
    for word in ["auto", "cpu"] {
      let run = try launch(["--nproc-per-node", word], shell("echo $WORLD_SIZE")).succeeded()
      #expect(Set(run.outputLines.map { $0.split(separator: " ").last.flatMap { Int($0) } }) == [run.outputLines.count])
    }
  }
}
