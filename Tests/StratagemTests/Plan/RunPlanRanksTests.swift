import Stratagem
import Testing
import Torch

@Suite("Ranks and processes of a plan")
struct RunPlanRanksTests {
  static func torchrun(
    rank: Int, of world: Int, localRank: Int, of localWorld: Int, node: Int = 0
  ) -> [String: String] {
    [
      "RANK": "\(rank)", "WORLD_SIZE": "\(world)", "LOCAL_RANK": "\(localRank)", "LOCAL_WORLD_SIZE": "\(localWorld)",
      "GROUP_RANK": "\(node)", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "29500",
    ]
  }

  @Test("before the processes exist there is no rank")
  func launching() throws {
    let plan = try resolve(RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2))
    #expect(plan.startsProcesses)
    #expect(plan.rank == nil && plan.localRank == nil)
    #expect(plan.nodeRank == 0)
    #expect(plan.rootDevice == .cpu)
  }

  @Test("single_device is rank 0")
  func single() throws {
    let plan = try resolve(RunRequest(strategy: .singleDevice))
    #expect(!plan.startsProcesses)
    #expect(plan.rank == 0 && plan.localRank == 0 && plan.worldSize == 1)
  }

  @Test("the ranks that torchrun gives are taken", arguments: 0..<8)
  func workers(_ rank: Int) throws {
    let environment = Self.torchrun(rank: rank, of: 8, localRank: rank % 4, of: 4, node: rank / 4)
    let request = RunRequest(accelerator: .gpu, devices: [1, 3, 5, 7], numNodes: 2)
    let plan = try resolve(request, on: Machine.eightGPUs, environment: environment)
    #expect(plan.rank == rank)
    #expect(plan.localRank == rank % 4)
    #expect(plan.nodeRank == rank / 4)
    #expect(plan.worldSize == 8 && plan.processesPerNode == 4)
    #expect(plan.rootDevice == .cuda(1 + rank % 4 * 2))
    #expect(!plan.startsProcesses)
  }

  @Test("a local rank alone is enough for one node; RANK and WORLD_SIZE alone are too")
  func partial() throws {
    let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2)
    let local = try resolve(request, environment: ["LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "29500"])
    #expect(local.rank == 1 && !local.startsProcesses)
    var nodes = request
    nodes.numNodes = 2
    let address = ["MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"]
    let global = try resolve(nodes, environment: ["RANK": "3", "WORLD_SIZE": "4"].merging(address) { $1 })
    #expect(global.nodeRank == 1 && global.localRank == 1 && global.rank == 3)
  }

  @Test("devices: auto takes as many devices as were started processes")
  func automaticDevices() throws {
    let environment = Self.torchrun(rank: 1, of: 2, localRank: 1, of: 2)
    let cpu = try resolve(RunRequest(accelerator: .cpu), environment: environment)
    #expect(cpu.strategyName == "ddp" && cpu.worldSize == 2 && cpu.rank == 1)
    let gpu = try resolve(RunRequest(strategy: .ddp), on: Machine.eightGPUs, environment: environment)
    #expect(gpu.devices == [.cuda(0), .cuda(1)])
  }

  @Test("one visible GPU in each process is shared by the local ranks")
  func oneVisible() throws {
    let environment = Self.torchrun(rank: 2, of: 4, localRank: 2, of: 4)
    let plan = try resolve(RunRequest(accelerator: .gpu, devices: 4), on: Machine.oneGPU, environment: environment)
    #expect(plan.rootDevice == .cuda(0))
    #expect(plan.worldSize == 4)
    #expect(problems(RunRequest(accelerator: .gpu, devices: 4), on: Machine.oneGPU).map(\.parameter) == ["devices"])
  }

  struct Contradiction: CustomTestStringConvertible, Sendable {
    var environment: [String: String]
    var nodes = 1
    var parameter: String
    var message: String
    var testDescription: String { message }
  }

  @Test(
    "an environment that contradicts the request",
    arguments: [
      Contradiction(
        environment: torchrun(rank: 0, of: 3, localRank: 0, of: 3), parameter: "devices",
        message: "torchrun started 3 processes, but the trainer asks for 2 processes on one node"),
      Contradiction(
        environment: ["RANK": "0", "LOCAL_RANK": "0", "WORLD_SIZE": "3"], parameter: "WORLD_SIZE",
        message: "this process was started as one of WORLD_SIZE=3, but the trainer asks for 2 processes on one node"),
      Contradiction(
        environment: ["LOCAL_RANK": "0", "WORLD_SIZE": "2"], parameter: "MASTER_PORT",
        message: "this process was started as one of WORLD_SIZE=2, but MASTER_PORT is not set"),
      Contradiction(
        environment: ["RANK": "0", "WORLD_SIZE": "4", "MASTER_PORT": "29500"], nodes: 2, parameter: "MASTER_ADDR",
        message: "numNodes is 2, but MASTER_ADDR is not set"),
      Contradiction(
        environment: ["LOCAL_RANK": "2", "WORLD_SIZE": "2", "MASTER_PORT": "29500"], parameter: "LOCAL_RANK",
        message: "LOCAL_RANK is 2, but each node runs 2 processes"),
      Contradiction(
        environment: torchrun(rank: 0, of: 2, localRank: 1, of: 2).filter { $0.key != "LOCAL_WORLD_SIZE" },
        parameter: "RANK",
        message: "RANK is 0, but GROUP_RANK 0 and LOCAL_RANK 1 with 2 processes on each node make it 1"),
      Contradiction(
        environment: ["NODE_RANK": "1"], parameter: "NODE_RANK", message: "NODE_RANK is 1, but numNodes is 1"),
      Contradiction(
        environment: [
          "LOCAL_RANK": "0", "NODE_RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "a", "MASTER_PORT": "29500",
        ], nodes: 2, parameter: "NODE_RANK",
        message: "NODE_RANK is 3, but numNodes is 2"),
      Contradiction(
        environment: ["LOCAL_RANK": "one"], parameter: "LOCAL_RANK",
        message: "environment variable LOCAL_RANK is 'one', which is not a whole number of 0 or more"),
      Contradiction(
        environment: ["WORLD_SIZE": "0"], parameter: "WORLD_SIZE",
        message: "environment variable WORLD_SIZE is '0', which is not a whole number of 1 or more"),
      Contradiction(
        environment: ["MASTER_ADDR": "10.0.0.1"], nodes: 2, parameter: "numNodes",
        message: "numNodes is 2, but MASTER_PORT, NODE_RANK are not set, so the nodes cannot find each other"),
    ])
  func contradictions(_ row: Contradiction) throws {
    let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2, numNodes: row.nodes)
    let found = problems(request, environment: row.environment)
    #expect(found.map(\.parameter) == [row.parameter])
    #expect(found.first?.message == row.message)
    #expect(found.first?.suggestion != nil)
  }

  @Test("single_device under a launcher of several processes is warned of")
  func loneProcesses() throws {
    let environment = Self.torchrun(rank: 1, of: 2, localRank: 1, of: 2)
    let plan = try resolve(RunRequest(strategy: .singleDevice), environment: environment)
    #expect(plan.rank == 0 && plan.worldSize == 1)
    #expect(plan.warnings.contains { $0.hasPrefix("torchrun started 2 processes, but strategy 'single_device'") })
  }

  @Test(
    "threads are a share of the cores, or what OMP_NUM_THREADS says",
    arguments: [(1, "", 8), (2, "", 4), (3, "", 2), (16, "", 1), (2, "3", 3), (2, "6,2", 6), (2, "many", 4)])
  func threads(_ processes: Int, _ variable: String, _ threads: Int) throws {
    let machine = HardwareInventory(cpuCount: 8)
    let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: .count(processes))
    let plan = try resolve(request, on: machine, environment: ["OMP_NUM_THREADS": variable])
    #expect(plan.threadsPerProcess == threads)
    #expect(plan.warnings.contains { $0.hasPrefix("OMP_NUM_THREADS") } == (variable == "many"))
  }

  @Test("one process on each node when the strategy drives all devices itself")
  func onePerNode() throws {
    let strategy = DescribedStrategy(.init(name: "mine", processes: .onePerNode))
    let request = RunRequest(strategy: strategy, accelerator: .gpu, devices: 4, numNodes: 2)
    let environment = ["RANK": "1", "WORLD_SIZE": "2", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"]
    let plan = try resolve(request, on: Machine.eightGPUs, environment: environment)
    #expect(plan.worldSize == 2 && plan.nodeRank == 1 && plan.localRank == 0)
    #expect(plan.devices.count == 4)
  }

  @Test("the plan says in one line what will run where")
  func description() throws {
    let ddp = try resolve(RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2))
    #expect(
      "\(ddp)" == "ddp on 2 processes (cpu, 1 thread each), precision 32-true, global batch = 2 × loader batch")
    let single = try resolve(RunRequest(precision: "bf16-mixed"))
    #expect(
      "\(single)" == "single_device on 1 process (cpu, 2 threads), precision bf16-mixed, global batch = loader batch")
    var request = RunRequest(accelerator: .gpu, devices: [0, 2], numNodes: 2)
    request.accumulate = 4
    let environment = ["RANK": "3", "WORLD_SIZE": "4", "MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500"]
    let nodes = try resolve(request, on: Machine.eightGPUs, environment: environment)
    #expect(
      "\(nodes)" == "ddp on 4 processes on 2 nodes (cuda:0,2 on each node), precision 32-true, "
        + "global batch = 4 × 4 accumulated × loader batch")
    #expect(nodes.batchesPerStep == 16)
  }
}
