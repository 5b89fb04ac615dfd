import Testing

@testable import Stratagem

@Suite("Detection of clusters")
struct ClusterDetectionTests {
  static let openMPI = [
    "OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "3", "OMPI_COMM_WORLD_LOCAL_RANK": "1",
    "OMPI_COMM_WORLD_LOCAL_SIZE": "2", "OMPI_MCA_ess_base_jobid": "1234",
  ]
  static let mpich = ["PMI_SIZE": "2", "PMI_RANK": "1", "MPI_LOCALRANKID": "1", "MPI_LOCALNRANKS": "2"]
  static let mvapich = [
    "MV2_COMM_WORLD_SIZE": "2", "MV2_COMM_WORLD_RANK": "1", "MV2_COMM_WORLD_LOCAL_RANK": "1",
    "MV2_COMM_WORLD_LOCAL_SIZE": "2",
  ]
  static let kubeflow = [
    "KUBERNETES_PORT": "tcp://10.0.0.1:443", "MASTER_ADDR": "job-master-0", "MASTER_PORT": "23456", "WORLD_SIZE": "3",
    "RANK": "2",
  ]
  static let lsf = [
    "LSB_JOBID": "54321", "LSB_DJOB_RANKFILE": "/tmp/ranks", "JSM_NAMESPACE_SIZE": "4", "JSM_NAMESPACE_RANK": "3",
    "JSM_NAMESPACE_LOCAL_RANK": "1", "STRATAGEM_HOSTS": "login1 c7 c7 c9 c9", "STRATAGEM_HOSTNAME": "c9.cluster",
  ]
  static let slurm = [
    "SLURM_NTASKS": "4", "SLURM_NTASKS_PER_NODE": "2", "SLURM_NNODES": "2", "SLURM_PROCID": "3", "SLURM_LOCALID": "1",
    "SLURM_NODEID": "1", "SLURM_JOB_ID": "1234567", "SLURM_NODELIST": "gpu[07-08]", "SLURM_STEP_ID": "0",
    "SLURM_JOB_NAME": "train",
  ]
  static let torchrun = [
    "TORCHELASTIC_RUN_ID": "job", "RANK": "3", "LOCAL_RANK": "1", "GROUP_RANK": "1", "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
  ]

  static let bagua = [
    "BAGUA_SERVICE_PORT": "29501", "RANK": "3", "LOCAL_RANK": "1", "NODE_RANK": "1", "WORLD_SIZE": "4",
    "LOCAL_WORLD_SIZE": "2", "MASTER_ADDR": "node0", "MASTER_PORT": "29500",
  ]

  struct Row: CustomTestStringConvertible, Sendable {
    var name: String
    var variables: [String: String]
    var address: String
    var port: Int?
    var world = 4
    var rank = 3
    var local = 1
    var node = 1
    var onNode: Int? = 2
    var testDescription: String { name }
  }

  @Test(
    "where a process stands",
    arguments: [
      Row(name: "torchrun", variables: torchrun, address: "node0", port: 29500),
      Row(name: "Bagua", variables: bagua, address: "node0", port: 29500),
      Row(name: "SLURM", variables: slurm, address: "gpu07", port: 19567),
      Row(name: "LSF", variables: lsf, address: "c7", port: 10321),
      Row(
        name: "Kubeflow", variables: kubeflow, address: "job-master-0", port: 23456, world: 3, rank: 2, local: 0,
        node: 2, onNode: 1),
      Row(
        name: "Open MPI", variables: openMPI.merging(["MASTER_ADDR": "a", "MASTER_PORT": "5"]) { $1 }, address: "a",
        port: 5),
      Row(
        name: "MPICH", variables: mpich.merging(["MASTER_PORT": "77"]) { $1 }, address: "127.0.0.1", port: 77, world: 2,
        rank: 1, node: 0),
      Row(
        name: "MVAPICH", variables: mvapich.merging(["MASTER_PORT": "77"]) { $1 }, address: "127.0.0.1", port: 77,
        world: 2, rank: 1, node: 0),
    ])
  func place(_ row: Row) throws {
    let environment = try ClusterEnvironments.detect(row.variables)
    #expect(environment.name == row.name)
    #expect(environment.createsProcessesExternally)
    #expect(environment.mainAddress == row.address)
    #expect(environment.mainPort == row.port)
    #expect(environment.worldSize == row.world)
    #expect(environment.globalRank == row.rank)
    #expect(environment.localRank == row.local)
    #expect(environment.nodeRank == row.node)
    #expect(environment.localWorldSize == row.onNode)
    #expect(environment.warnings.isEmpty)
    let onNode = row.onNode ?? 1
    try environment.validate(numDevices: onNode, numNodes: row.world / onNode)

    let request = RunRequest(strategy: .ddp, accelerator: .cpu, numNodes: row.world / onNode)
    let plan = try resolve(request, environment: row.variables)
    #expect(plan.rank == row.rank && plan.localRank == row.local && plan.nodeRank == row.node)
    #expect(plan.worldSize == row.world && plan.processesPerNode == onNode && !plan.startsProcesses)
    #expect(plan.cluster.environment == row.name && plan.cluster.mainAddress == row.address)
  }

  @Test("the first of Bagua, torchrun, SLURM, LSF, Kubeflow, MPI and Lightning that recognises its variables is taken")
  func priority() throws {
    let all = [Self.bagua, Self.torchrun, Self.slurm, Self.lsf, Self.kubeflow, Self.openMPI]
    let expected = ["Bagua", "torchrun", "SLURM", "LSF", "Kubeflow", "Open MPI", "lightning"]
    for (index, name) in expected.enumerated() {
      var variables: [String: String] = [:]
      for later in all[index...] { variables.merge(later) { earlier, _ in earlier } }
      #expect(try ClusterEnvironments.detect(variables).name == name)
    }
  }

  @Test("a worker of ours is ours, whoever started its parent")
  func ownWorker() throws {
    let identity = WorkerIdentity(localRank: 1, localWorldSize: 2)
    let own = identity.variables(mainAddress: "127.0.0.1", mainPort: 4000).merging(["STRATAGEM_SUPERVISOR": "1"]) { $1 }
    for outer in [Self.slurm, Self.openMPI, Self.lsf, Self.kubeflow] {
      let environment = try ClusterEnvironments.detect(outer.merging(own) { $1 }, numDevices: 2)
      #expect(environment.name == "lightning" && environment.globalRank == 1)
    }
  }

  @Test(
    "an interactive shell of a SLURM job, and one process of MPI, are nobody's", arguments: ["bash", "interactive"])
  func ignored(_ job: String) throws {
    let shell = Self.slurm.merging(["SLURM_JOB_NAME": job]) { $1 }
    #expect(try ClusterEnvironments.detect(shell).name == "lightning")
    #expect(
      try ClusterEnvironments.detect(["OMPI_COMM_WORLD_SIZE": "1", "OMPI_COMM_WORLD_RANK": "0"]).name == "lightning")
  }

  struct TestCluster: ClusterEnvironment {
    let name = "mine"
    let createsProcessesExternally = true
    let mainAddress = "10.1.1.1"
    let mainPort: Int? = 4321
    let worldSize = 4
    let globalRank = 2
    let localRank = 0
    let nodeRank = 1
    func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError) {
      if numDevices * numNodes != 4 { throw ConfigurationError("devices", "mine has 4", suggestion: "ask for 4") }
    }
  }

  @Test("an environment of one's own comes before all others")
  func own() throws {
    var request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2, numNodes: 2)
    request.plugins = [PluginDescription(TestCluster())]
    let plan = try resolve(request, environment: Self.torchrun)
    #expect(plan.cluster.environment == "mine")
    #expect(plan.rank == 2 && plan.localRank == 0 && plan.nodeRank == 1 && !plan.startsProcesses)
    #expect(plan.cluster.mainAddress == "10.1.1.1" && plan.cluster.mainPort == 4321)
    request.devices = 3
    #expect(problems(request).map(\.message) == ["mine has 4"])
  }

  @Test("TPU cores are numbered by XLA's runtime, before the processes exist and after")
  func tpu() throws {
    let host = ["PJRT_DEVICE": "TPU", "TPU_WORKER_ID": "1", "TPU_WORKER_HOSTNAMES": "t0,t1"]
    #expect(XLAEnvironment.describes(host))
    let request = RunRequest(accelerator: .tpu, devices: 8, numNodes: 2)
    let before = try resolve(request, on: Machine.tpuPod, environment: host)
    #expect(before.startsProcesses && before.worldSize == 16 && before.nodeRank == 1 && before.rank == nil)
    #expect(before.cluster.environment == "XLA" && before.cluster.mainAddress == "t0")
    let worker = host.merging(["PJRT_LOCAL_PROCESS_RANK": "3", "PJRT_LOCAL_PROCESS_COUNT": "8"]) { $1 }
    let after = try resolve(request, on: Machine.tpuPod, environment: worker)
    #expect(after.rank == 11 && after.localRank == 3 && !after.startsProcesses)
    #expect(after.rootDevice == AcceleratorKind.tpu.device(at: 3))
    let one = RunRequest(accelerator: .tpu, devices: 8)
    #expect(problems(one, on: Machine.tpuPod, environment: host).map(\.parameter) == ["TPU_WORKER_HOSTNAMES"])
    let few = worker.merging(["PJRT_LOCAL_PROCESS_COUNT": "4"]) { $1 }
    #expect(problems(request, on: Machine.tpuPod, environment: few).map(\.parameter) == ["PJRT_LOCAL_PROCESS_COUNT"])
  }
}
