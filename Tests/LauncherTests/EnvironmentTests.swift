import Testing

@testable import Stratagem

@Suite("Cluster environments")
struct EnvironmentTests {
  private let torchrun = [
    "TORCHELASTIC_RUN_ID": "job", "RANK": "5", "LOCAL_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "8",
    "LOCAL_WORLD_SIZE": "4", "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
  ]

  @Test("Without variables this is the main process")
  func main() throws {
    let environment = try ClusterEnvironments.detect([:], numDevices: 2)
    #expect(environment.name == "lightning")
    #expect(!environment.createsProcessesExternally)
    #expect(environment.mainAddress == "127.0.0.1")
    #expect(environment.mainPort == nil)
    #expect(environment.worldSize == 2)
    #expect(environment.globalRank == 0)
    try environment.validate(numDevices: 2, numNodes: 1)
  }

  @Test("A worker of ours finds its place")
  func worker() throws {
    let identity = WorkerIdentity(localRank: 1, nodeRank: 1, localWorldSize: 2, numNodes: 2)
    let variables = identity.variables(mainAddress: "10.0.0.1", mainPort: 4000)
    let environment = try ClusterEnvironments.detect(variables, numDevices: 2, numNodes: 2)
    #expect(environment.name == "lightning")
    #expect(environment.createsProcessesExternally)
    #expect(environment.globalRank == 3)
    #expect(environment.localRank == 1)
    #expect(environment.nodeRank == 1)
    #expect(environment.worldSize == 4)
    #expect(environment.mainAddress == "10.0.0.1")
    #expect(environment.mainPort == 4000)
    try environment.validate(numDevices: 2, numNodes: 2)
    let error = #expect(throws: ConfigurationError.self) {
      try environment.validate(numDevices: 3, numNodes: 1)
    }
    #expect(error?.description.contains("WORLD_SIZE=4") == true)
  }

  @Test("A worker started under torchrun's variables by us is ours")
  func workerInsideTorchrun() throws {
    let identity = WorkerIdentity(localRank: 1, localWorldSize: 2)
    var variables = torchrun.merging(identity.variables(mainAddress: "127.0.0.1", mainPort: 1)) { $1 }
    variables["STRATAGEM_SUPERVISOR"] = "1"
    #expect(try ClusterEnvironments.detect(variables, numDevices: 2).name == "lightning")
  }

  @Test("torchrun is recognised and read")
  func elastic() throws {
    let environment = try #require(try ClusterEnvironments.detect(torchrun) as? TorchElasticEnvironment)
    #expect(environment.createsProcessesExternally)
    #expect(environment.globalRank == 5)
    #expect(environment.localRank == 1)
    #expect(environment.nodeRank == 1)
    #expect(environment.worldSize == 8)
    #expect(environment.localWorldSize == 4)
    #expect(environment.mainAddress == "node0")
    #expect(environment.mainPort == 29500)
    #expect(environment.runID == "job")
    var withoutID = torchrun
    withoutID["TORCHELASTIC_RUN_ID"] = nil
    #expect(try ClusterEnvironments.detect(withoutID).name == "torchrun")
    withoutID["GROUP_RANK"] = nil
    #expect(try ClusterEnvironments.detect(withoutID).name == "lightning")
  }

  @Test("torchrun's processes must be the trainer's, and the message has the line to write")
  func elasticValidation() throws {
    let environment = try ClusterEnvironments.detect(torchrun)
    try environment.validate(numDevices: 4, numNodes: 2)
    let size = #expect(throws: ConfigurationError.self) { try environment.validate(numDevices: 2, numNodes: 1) }
    #expect(
      size?.description
        == "torchrun started 8 processes, but the trainer asks for 2 processes on one node; start it with "
        + "`torchrun --no-python --nnodes 1 --nproc-per-node 2`, or write Trainer(devices: 4, numNodes: 2)")
    let split = #expect(throws: ConfigurationError.self) { try environment.validate(numDevices: 2, numNodes: 4) }
    #expect(split?.description.contains("torchrun --no-python --nnodes 4 --nproc-per-node 2") == true)
  }

  @Test("Missing variables of torchrun are all named")
  func elasticMissing() {
    let error = #expect(throws: ConfigurationError.self) {
      try ClusterEnvironments.detect(["TORCHELASTIC_RUN_ID": "x", "RANK": "0", "LOCAL_RANK": "0"])
    }
    #expect(error?.description.contains("WORLD_SIZE, MASTER_ADDR, MASTER_PORT are not set") == true)
  }

  @Test(
    "Values that are no numbers or out of range are named",
    arguments: [
      ["LOCAL_RANK": "one"], ["NODE_RANK": "-1"], ["GROUP_RANK": "1.5"], ["MASTER_PORT": "70000"],
      ["LOCAL_RANK": "0", "WORLD_SIZE": "0"], ["LOCAL_RANK": "1", "WORLD_SIZE": "2", "RANK": "x"],
    ])
  func malformed(variables: [String: String]) {
    let error = #expect(throws: ConfigurationError.self) { try ClusterEnvironments.detect(variables) }
    #expect(variables.contains { error?.description.contains("\($0.key) is '\($0.value)'") == true })
  }

  @Test("Settings that make no run are refused with the remedy")
  func validation() throws {
    func message(_ variables: [String: String], devices: Int, nodes: Int) throws -> String {
      let environment = try LightningEnvironment(variables, numDevices: devices, numNodes: nodes)
      let error = #expect(throws: ConfigurationError.self) {
        try environment.validate(numDevices: devices, numNodes: nodes)
      }
      return error?.description ?? ""
    }
    #expect(try message(["LOCAL_RANK": "1"], devices: 2, nodes: 1).contains("unset LOCAL_RANK"))
    #expect(try message(["NODE_RANK": "1"], devices: 2, nodes: 1).contains("unset NODE_RANK"))
    #expect(try message(["NODE_RANK": "2"], devices: 2, nodes: 2).contains("from 0 to 1"))
    #expect(try message([:], devices: 2, nodes: 2).contains("MASTER_ADDR, MASTER_PORT, NODE_RANK are not set"))
    #expect(
      try message(["LOCAL_RANK": "1", "WORLD_SIZE": "2"], devices: 2, nodes: 1).contains("MASTER_PORT is not"))
    #expect(
      try message(["LOCAL_RANK": "1", "WORLD_SIZE": "2", "RANK": "2", "MASTER_PORT": "1"], devices: 2, nodes: 1)
        .contains("RANK is 2"))
    let nodes = try LightningEnvironment(
      ["NODE_RANK": "1", "MASTER_ADDR": "a", "MASTER_PORT": "9"], numDevices: 2, numNodes: 2)
    try nodes.validate(numDevices: 2, numNodes: 2)
    #expect(nodes.globalRank == 2)
  }

  @Test("A leftover WORLD_SIZE does not make a worker")
  func leftover() throws {
    let environment = try ClusterEnvironments.detect(["WORLD_SIZE": "8"], numDevices: 2)
    #expect(!environment.createsProcessesExternally)
    #expect(environment.worldSize == 2)
  }

  @Test("The identity of a run is its time and process, unless it is given")
  func runID() {
    #expect(RunID.make(at: 0, process: 7) == "19700101-000000-7")
    #expect(RunID.make(at: 1_769_852_712, process: 4711) == "20260131-094512-4711")
    #expect(RunID.resolve(["STRATAGEM_RUN_ID": "mine"]) == "mine")
    #expect(!RunID.resolve(["STRATAGEM_RUN_ID": ""]).isEmpty)
  }
}
