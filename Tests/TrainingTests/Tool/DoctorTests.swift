import Foundation
import Testing

@Suite("stratagem doctor")
struct DoctorTests {
  private struct Report: Decodable {
    struct Check: Decodable {
      let name: String
      let status: String
      let message: String
      let remedy: String?
    }

    let checks: [Check]
    let problems: Int
    let warnings: Int

    subscript(_ name: String) -> Check? { checks.first { $0.name == name } }
  }

  private func report(_ environment: [String: String], _ flags: String...) throws -> (report: Report, status: Int) {
    let run = try ProgramRun("stratagem", ["doctor", "--json"] + flags, environment: environment)
    return (try JSONDecoder().decode(Report.self, from: Data(run.output.utf8)), run.status)
  }

  @Test("On this machine two processes compute together, and there is no problem")
  func healthy() throws {
    let run = try ProgramRun("stratagem", ["doctor"]).succeeded()
    let names = [
      "libtorch", "Swift", "processors", "threads", "memory", "/dev/shm", "open files", "GPU", "host name",
      "interfaces", "ports", "launcher", "SLURM", "collectives",
    ]
    for (line, name) in zip(run.outputLines, names) {
      #expect(line.dropFirst(9).hasPrefix(name))
      #expect(line.hasPrefix("ok       ") || line.hasPrefix("warning  "))
    }
    #expect(run.outputLines.count == names.count + 1)
    #expect(
      run.output.contains(
        "ok       collectives  all-reduce, broadcast, all-gather and barrier are right on 2 processes"))
    let (report, status) = try report([:])
    #expect(status == 0)
    #expect(report.problems == 0)
    #expect(report.checks.map(\.name) == names)
    #expect(report["libtorch"]?.message.contains("/libtorch_cpu.so)") == true)
    #expect(report.checks.allSatisfy { ($0.status == "ok") == ($0.remedy == nil) })
  }

  @Test(
    "Problems with their remedies",
    arguments: [
      ("threads", ["OMP_NUM_THREADS": "many"], "OMP_NUM_THREADS is \"many\""),
      ("MASTER_PORT", ["MASTER_PORT": "99999"], "it is \"99999\""),
      ("MASTER_ADDR", ["MASTER_ADDR": "no-such-host.invalid"], "no-such-host.invalid has no address"),
      ("interfaces", ["GLOO_SOCKET_IFNAME": "nope0"], "GLOO_SOCKET_IFNAME names nope0, which does not exist"),
      ("launcher", ["TORCHELASTIC_RUN_ID": "x"], "this looks like a process of torchrun"),
      (
        "SLURM", ["SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NNODES": "2"],
        "SLURM_NTASKS is 4, but SLURM_NTASKS_PER_NODE is not set"
      ),
      (
        "SLURM",
        [
          "SLURM_JOB_ID": "7", "SLURM_NTASKS": "5", "SLURM_NNODES": "2", "SLURM_NTASKS_PER_NODE": "2",
          "SLURM_PROCID": "0", "SLURM_LOCALID": "0", "SLURM_NODEID": "0",
        ], "5 tasks are not 2 nodes with 2 tasks each"
      ),
    ])
  func problems(name: String, environment: [String: String], message: String) throws {
    let (report, status) = try report(environment, "--no-self-test")
    let check = try #require(report[name])
    #expect(check.status == "problem")
    #expect(check.message.contains(message))
    #expect(status == 1)
    #expect(report.problems >= 1)
    #expect(report["collectives"] == nil)
  }

  @Test("The lines for a job script that SLURM refuses")
  func slurm() throws {
    let (report, _) = try report(
      ["SLURM_JOB_ID": "7", "SLURM_NTASKS": "4", "SLURM_NNODES": "2", "SLURM_JOB_NAME": "train"], "--no-self-test")
    #expect(
      report["SLURM"]?.remedy == "write `#SBATCH --nodes=2` and `#SBATCH --ntasks-per-node=2` instead of --ntasks")
  }

  @Test("A port that is taken")
  func takenPort() throws {
    let script = """
      exec 3< <(python3 -c '
      import socket, time
      s = socket.socket(); s.bind(("127.0.0.1", 0)); s.listen(1); print(s.getsockname()[1], flush=True); time.sleep(60)')
      holder=$!
      read port <&3
      MASTER_PORT=$port "$0" doctor --no-self-test
      status=$?
      kill $holder
      exit $status
      """
    let run = try ProgramRun("stratagem", [], shell: script)
    #expect(run.status == 1)
    #expect(run.output.contains("cannot be listened on"))
    #expect(run.output.contains("unset it to take any free port"))
  }

  @Test("The memory that a process may have")
  func memory() throws {
    let run = try ProgramRun("stratagem", ["doctor", "--json", "--no-self-test"], shell: "ulimit -d 800000")
    let report = try JSONDecoder().decode(Report.self, from: Data(run.output.utf8))
    let check = try #require(report["memory"])
    #expect(check.status == "warning")
    #expect(check.message.contains(" available; control group and ulimit allow this process "))
    #expect(check.remedy?.contains("raise the limits") == true)
  }

  @Test("More threads than cores is a warning, and no failure")
  func warning() throws {
    let (report, status) = try report(["OMP_NUM_THREADS": "100000"], "--no-self-test")
    #expect(report["threads"]?.status == "warning")
    #expect(status == 0)
  }
}
