import Foundation
import Stratagem
import Testing

@Suite("Starting workers")
struct LaunchTests {
  @Test("All processes run to the end", arguments: [1, 2, 3])
  func succeeds(processes: Int) throws {
    let run = try ProbeRun("succeed", processes: processes)
    #expect(run.status == 0)
    #expect(run.errors == "")
    let expected = (0..<processes).map { rank in
      (rank == 0 ? "" : "[rank \(rank)] ") + "rank \(rank) of \(processes) is done"
    }
    #expect(run.lines.sorted() == expected.sorted())
  }

  @Test("A worker finds its place, and nothing else of its parent")
  func describes() throws {
    let run = try ProbeRun("describe", processes: 2)
    #expect(run.status == 0)
    let mark = "[rank 1] "
    let facts = Dictionary(
      uniqueKeysWithValues: run.lines.filter { $0.hasPrefix(mark) }.map { line in
        let parts = line.dropFirst(mark.count).split(separator: "=", maxSplits: 1)
        return (String(parts[0]), String(parts[1]))
      })
    let processors = ProcessInfo.processInfo.activeProcessorCount
    #expect(facts["MASTER_ADDR"] == "127.0.0.1")
    #expect(facts["MASTER_PORT"] == "29123")
    #expect(facts["RANK"] == "1")
    #expect(facts["LOCAL_RANK"] == "1")
    #expect(facts["NODE_RANK"] == "0")
    #expect(facts["WORLD_SIZE"] == "2")
    #expect(facts["LOCAL_WORLD_SIZE"] == "2")
    #expect(facts["OMP_NUM_THREADS"] == "\(max(1, processors / 2))")
    #expect(facts["STRATAGEM_PROBE_EXTRA"] == "passed on")
    #expect(facts["STRATAGEM_RUN_ID"]?.split(separator: "-").count == 3)
    #expect(facts["threads"] == "given")
    #expect(facts["worker"] == "true")
    #expect(facts["own group"] == "true")
    #expect(facts["input ended"] == "true")
    #expect(facts["descriptors"] == "[0, 1, 2, 3]")
    #expect(facts["default handlers"] == "true")
    #expect(run.lines.contains("worker=false"))
    #expect(run.lines.contains("threads=\(max(1, processors / 2))"))
  }

  @Test("The number of threads that the user chose is kept")
  func keepsThreads() throws {
    let run = try ProbeRun(
      "describe", processes: 2, environment: ["OMP_NUM_THREADS": "5", "STRATAGEM_RUN_ID": "mine"])
    #expect(run.lines.contains("[rank 1] OMP_NUM_THREADS=5"))
    #expect(run.lines.contains("[rank 1] STRATAGEM_RUN_ID=mine"))
    #expect(run.lines.contains("threads=given"))
  }

  @Test("A second launch finds the workers, another size is refused")
  func twice() throws {
    let run = try ProbeRun("twice", processes: 2)
    #expect(run.status == 0)
    #expect(run.lines.contains("rank 0 launched again: true"))
    #expect(run.lines.contains("[rank 1] rank 1 launched again: true"))
    #expect(run.output.contains("rank 0 refused: the workers of this program were started for 2 processes"))
    #expect(run.output.contains("[rank 1] rank 1 refused: local rank 1 was started as one of 2 processes"))
  }

  @Test("Two runs at once do not meet")
  func together() async throws {
    try await withThrowingTaskGroup(of: (Int, [String]).self) { group in
      for _ in 0..<2 {
        group.addTask {
          let run = try ProbeRun("output", processes: 3, argument: "500")
          return (run.status, run.lines)
        }
      }
      for try await (status, lines) in group {
        #expect(status == 0)
        #expect(lines.count == 1500)
      }
    }
  }

  @Test("LOCAL_RANK of an unknown launcher is refused, with the remedy")
  func foreignRank() {
    let launcher = RelaunchLauncher(ProcessLayout(processesPerNode: 2), environment: ["LOCAL_RANK": "1"])
    #expect(throws: LaunchError.foreignLocalRank(1)) { try launcher.startWorkers(port: 1) }
    #expect("\(LaunchError.foreignLocalRank(1))".contains("unset LOCAL_RANK"))
  }

  @Test("A worker that wants another number of processes is refused")
  func disagreement() {
    let environment = ["LOCAL_RANK": "1", "WORLD_SIZE": "2", "STRATAGEM_SUPERVISOR": "\(getppid())"]
    let launcher = RelaunchLauncher(ProcessLayout(processesPerNode: 3), environment: environment)
    #expect(launcher.isWorker)
    #expect(throws: LaunchError.workerDisagrees(localRank: 1, startedFor: 2, asked: 3)) {
      try launcher.startWorkers(port: 1)
    }
  }

  @Test("A layout that makes no run is refused", arguments: [(0, 1, 0), (-1, 1, 0), (2, 0, 0), (2, 2, 2), (2, 1, -1)])
  func layout(processes: Int, nodes: Int, node: Int) {
    let launcher = RelaunchLauncher(
      ProcessLayout(processesPerNode: processes, numNodes: nodes, nodeRank: node), environment: [:])
    #expect(throws: LaunchError.self) { try launcher.startWorkers(port: 1) }
  }

  @Test("One process needs nothing started")
  func single() throws {
    let launcher = RelaunchLauncher(ProcessLayout(processesPerNode: 1), environment: [:])
    try launcher.startWorkers(port: 1)
    #expect(launcher.isLaunched)
    #expect(Supervisor.current == nil)
    #expect(!InProcessLauncher().processesAreCreatedExternally)
    #expect(ExternalLauncher(ProcessLayout(processesPerNode: 2)).processesAreCreatedExternally)
  }

  @Test("The place on a later node counts from that node's first rank")
  func nodes() {
    let launcher = RelaunchLauncher(
      ProcessLayout(processesPerNode: 4, numNodes: 3, nodeRank: 2), environment: [:])
    #expect(launcher.identity.globalRank == 8)
    #expect(launcher.identity.worldSize == 12)
  }
}
