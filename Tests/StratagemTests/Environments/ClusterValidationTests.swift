import Testing

@testable import Stratagem

@Suite("Validation of clusters")
struct ClusterValidationTests {
  typealias Cluster = ClusterDetectionTests

  /// Variables that do not fit a trainer, the variable to blame and the line to write.
  struct Row: CustomTestStringConvertible, Sendable {
    var testDescription: String
    var variables: [String: String]
    var devices = 2
    var nodes = 2
    var parameter: String
    var message: String
    var line: String

    init(
      _ name: String, _ base: [String: String], _ changes: [String: String?] = [:], devices: Int = 2, nodes: Int = 2,
      _ parameter: String, _ message: String, line: String
    ) {
      testDescription = name
      variables = base
      for (name, value) in changes { variables[name] = value }
      self.devices = devices
      self.nodes = nodes
      self.parameter = parameter
      self.message = message
      self.line = line
    }
  }

  static let slurm: [Row] = [
    Row(
      "SLURM with wrong ntasks", Cluster.slurm, ["SLURM_NTASKS": "8", "SLURM_NTASKS_PER_NODE": "4"], "SLURM_NTASKS",
      "the trainer asks for 2 processes on each of 2 nodes, but SLURM_NTASKS is 8 and not 4, SLURM_NTASKS_PER_NODE is 4 "
        + "and not 2",
      line: "write `#SBATCH --nodes=2` and `#SBATCH --ntasks-per-node=2` in the job script, and no --ntasks; or write "
        + "Trainer(devices: 4, numNodes: 2)"),
    Row(
      "SLURM with wrong ntasks per node", Cluster.slurm,
      ["SLURM_NTASKS_PER_NODE": "1", "SLURM_NNODES": "4"], "SLURM_NTASKS_PER_NODE",
      "the trainer asks for 2 processes on each of 2 nodes, but SLURM_NTASKS_PER_NODE is 1 and not 2, SLURM_NNODES is 4 "
        + "and not 2", line: "`#SBATCH --nodes=2` and `#SBATCH --ntasks-per-node=2`"),
    Row(
      "SLURM with one task for several devices", Cluster.slurm,
      ["SLURM_NTASKS": "1", "SLURM_NTASKS_PER_NODE": nil, "SLURM_NNODES": "1", "SLURM_PROCID": "0"], devices: 4,
      nodes: 1, "SLURM_NTASKS",
      "the trainer asks for 4 processes on one node, but SLURM_NTASKS is 1 and not 4, SLURM_NTASKS_PER_NODE is 1 and "
        + "not 4", line: "`#SBATCH --nodes=1` and `#SBATCH --ntasks-per-node=4`"),
    Row(
      "SLURM with ntasks alone", Cluster.slurm, ["SLURM_NTASKS_PER_NODE": nil, "SLURM_NNODES": nil],
      "SLURM_NTASKS_PER_NODE",
      "the trainer asks for 2 processes on each of 2 nodes, but SLURM_NTASKS_PER_NODE is not set beside "
        + "SLURM_NTASKS=4",
      line: "`#SBATCH --ntasks-per-node=2`"),
    Row(
      "SLURM with uneven nodes", Cluster.slurm, ["SLURM_NTASKS_PER_NODE": nil, "SLURM_TASKS_PER_NODE": "3,1"],
      "SLURM_NTASKS_PER_NODE",
      "the trainer asks for 2 processes on each of 2 nodes, but SLURM_NTASKS_PER_NODE is not set beside "
        + "SLURM_NTASKS=4",
      line: "`#SBATCH --ntasks-per-node=2`"),
    Row(
      "SLURM without srun", ["SLURM_NTASKS": "4"], [:], "SLURM_PROCID",
      "this is a SLURM job of SLURM_NTASKS=4, but SLURM_PROCID, SLURM_LOCALID, SLURM_NODEID are not set",
      line: "`srun PROGRAM`"),
    Row(
      "SLURM with a rank too large", Cluster.slurm, ["SLURM_PROCID": "4"], "SLURM_PROCID",
      "SLURM_PROCID is 4, but SLURM_NTASKS is 4", line: "`srun PROGRAM`"),
    Row(
      "SLURM with a list that is none", Cluster.slurm, ["SLURM_NODELIST": "gpu[1-"], "SLURM_NODELIST",
      "SLURM_NODELIST is 'gpu[1-', which is not a list of hosts", line: "set MASTER_ADDR"),
    Row(
      "SLURM with text for a number", Cluster.slurm, ["SLURM_NTASKS": "many"], "SLURM_NTASKS",
      "environment variable SLURM_NTASKS is 'many', which is not a whole number of 1 or more", line: "launcher"),
  ]

  static let mpi: [Row] = [
    Row(
      "Open MPI with too many processes", Cluster.openMPI, ["OMPI_COMM_WORLD_LOCAL_SIZE": "4"], nodes: 1,
      "OMPI_COMM_WORLD_SIZE",
      "mpirun started 4 processes, 4 on this node, but the trainer asks for 2 processes on one node",
      line: "start it with `mpirun -np 2 PROGRAM`, or write Trainer(devices: 4, numNodes: 1)"),
    Row(
      "Open MPI spread another way", Cluster.openMPI, [:], devices: 1, nodes: 4, "OMPI_COMM_WORLD_SIZE",
      "mpirun started 4 processes, 2 on this node, but the trainer asks for 1 process on each of 4 nodes",
      line: "`mpirun -np 4 --map-by ppr:1:node PROGRAM`"),
    Row(
      "Open MPI on two nodes without an address", Cluster.openMPI, [:], "MASTER_ADDR",
      "numNodes is 2, but MASTER_ADDR, MASTER_PORT are not set, so the nodes cannot find each other",
      line: "`mpirun -np 4 --map-by ppr:2:node -x MASTER_ADDR=<address of the first node> -x MASTER_PORT=29500 PROGRAM`"
    ),
    Row(
      "MPICH on two nodes without a port", Cluster.mpich, ["PMI_SIZE": "4", "MASTER_ADDR": "a"], "MASTER_PORT",
      "numNodes is 2, but MASTER_PORT is not set, so the nodes cannot find each other",
      line: "`mpirun -np 4 -ppn 2 -env MASTER_ADDR <address of the first node> -env MASTER_PORT 29500 PROGRAM`"),
    Row(
      "MPI with a rank too large", Cluster.mpich, ["PMI_RANK": "2"], nodes: 1, "PMI_RANK",
      "PMI_RANK is 2, but PMI_SIZE is 2", line: "`mpirun`"),
    Row(
      "MPI with text for a number", Cluster.openMPI, ["OMPI_COMM_WORLD_RANK": "first"], "OMPI_COMM_WORLD_RANK",
      "environment variable OMPI_COMM_WORLD_RANK is 'first', which is not a whole number of 0 or more",
      line: "launcher"),
  ]

  static let others: [Row] = [
    Row(
      "Kubeflow with several devices", Cluster.kubeflow, [:], devices: 2, nodes: 3, "WORLD_SIZE",
      "Kubeflow started 3 pods with one process each, but the trainer asks for 2 processes on each of 3 nodes",
      line: "write Trainer(devices: 1, numNodes: 3), or `replicas: 2` for Worker beside `replicas: 1` for Master"),
    Row(
      "Kubeflow with a rank too large", Cluster.kubeflow, ["RANK": "3"], devices: 1, nodes: 3, "RANK",
      "RANK is 3, but WORLD_SIZE is 3", line: "PyTorchJob"),
    Row(
      "Kubeflow without a port", Cluster.kubeflow, ["MASTER_PORT": ""], devices: 1, nodes: 3, "MASTER_PORT",
      "this is a pod of Kubeflow, but MASTER_PORT is not set", line: "PyTorchJob"),
    Row(
      "LSF with another number", Cluster.lsf, [:], devices: 4, nodes: 2, "JSM_NAMESPACE_SIZE",
      "jsrun started 4 processes, 2 on this node, but the trainer asks for 4 processes on each of 2 nodes",
      line: "start it with `jsrun --nrs 2 --tasks_per_rs 4 PROGRAM`, or write Trainer(devices: 2, numNodes: 2)"),
    Row(
      "LSF without hosts", Cluster.lsf, ["STRATAGEM_HOSTS": nil], "MASTER_ADDR",
      "the file /tmp/ranks of LSB_DJOB_RANKFILE names no host, and MASTER_ADDR is not set",
      line: "`jsrun -E MASTER_ADDR=<address of the first node> PROGRAM`"),
    Row(
      "LSF without a rank", Cluster.lsf, ["JSM_NAMESPACE_RANK": nil], "JSM_NAMESPACE_RANK",
      "this is an LSF job, but JSM_NAMESPACE_RANK is not set", line: "`jsrun PROGRAM`"),
    Row(
      "torchrun without an address", Cluster.torchrun, ["MASTER_ADDR": nil, "MASTER_PORT": nil], "MASTER_ADDR",
      "this looks like a process of torchrun, but MASTER_ADDR, MASTER_PORT are not set",
      line: "`torchrun --no-python`"),
    Row(
      "torchrun with another number", Cluster.torchrun, [:], devices: 1, nodes: 2, "devices",
      "torchrun started 4 processes, but the trainer asks for 1 process on each of 2 nodes",
      line: "`torchrun --no-python --nnodes 2 --nproc-per-node 1`, or write Trainer(devices: 2, numNodes: 2)"),
    Row(
      "two nodes by hand", ["MASTER_ADDR": "a"], [:], "numNodes",
      "numNodes is 2, but MASTER_PORT, NODE_RANK are not set, so the nodes cannot find each other",
      line: "`MASTER_ADDR=<address of node 0> MASTER_PORT=29500 NODE_RANK=<0 to 1> PROGRAM`"),
  ]

  @Test("what does not fit is said before anything starts, with the line to write", arguments: slurm + mpi + others)
  func refused(_ row: Row) throws {
    let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: .count(row.devices), numNodes: row.nodes)
    let found = problems(request, environment: row.variables)
    let problem = try #require(found.count == 1 ? found[0] : nil, "\(found)")
    #expect(problem.parameter == row.parameter)
    #expect(problem.message == row.message)
    let suggestion = try #require(problem.suggestion)
    #expect(suggestion.contains(row.line))
  }

  @Test("a job script that runs the program without srun is warned of, by its first process only")
  func withoutStep() throws {
    let script = Cluster.slurm.merging(["SLURM_STEP_ID": "", "SLURM_PROCID": "0", "SLURM_NODEID": "0"]) { $1 }
    let request = RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2, numNodes: 2)
    let plan = try resolve(request, environment: script)
    #expect(plan.warnings.map { $0.contains("write `srun PROGRAM`") } == [true])
    #expect(try resolve(request, environment: script.merging(["SLURM_PROCID": "1"]) { $1 }).warnings.isEmpty)
  }

  @Test("SLURM tells the tasks of each node in two ways", arguments: ["2(x2)", "2,2"])
  func tasksPerNode(_ text: String) throws {
    var variables = Cluster.slurm
    variables["SLURM_NTASKS_PER_NODE"] = nil
    variables["SLURM_TASKS_PER_NODE"] = text
    try SLURMEnvironment(variables).validate(numDevices: 2, numNodes: 2)
  }

  @Test("SLURM's address and port can be given, and have a default")
  func addresses() throws {
    let given = Cluster.slurm.merging(["MASTER_ADDR": "10.0.0.9", "MASTER_PORT": "4000"]) { $1 }
    #expect(try SLURMEnvironment(given).mainAddress == "10.0.0.9")
    #expect(try SLURMEnvironment(given).mainPort == 4000)
    let bare = Cluster.slurm.filter { !["SLURM_NODELIST", "SLURM_JOB_ID"].contains($0.key) }
    #expect(try SLURMEnvironment(bare).mainAddress == "127.0.0.1")
    #expect(try SLURMEnvironment(bare).mainPort == 12910)
  }

  @Test(
    "the first host of SLURM's lists",
    arguments: [
      ("alpha,beta", "alpha"), ("alpha beta", "alpha"), ("host[5-9]", "host5"), ("host[1,3]", "host1"),
      ("host[007-010,12]", "host007"), ("rack[01,03]node[2-4],login", "rack01node2"), ("a-b[3]", "a-b3"),
      ("n1.cluster.example", "n1.cluster.example"), (" gpu[2-3]x,other", "gpu2x"), ("one", "one"),
      ("", nil), ("host[", nil), ("host]", nil), ("host[]", nil), ("host[a-b]", nil), ("host[1-]", nil),
      ("host[1[2]]", nil), ("host[1-2-3]", nil),
    ] as [(String, String?)])
  func hosts(_ list: String, _ first: String?) { #expect(HostList.first(list) == first) }

  @Test("the processes of an MPI job on one node agree on a port, and two jobs on different ones")
  func ports() throws {
    func port(_ changes: [String: String]) throws -> Int? {
      try MPIEnvironment(Cluster.openMPI.merging(changes) { $1 }).mainPort
    }
    let first = try #require(try port([:]))
    #expect((15000..<32000).contains(first))
    #expect(try port(["OMPI_COMM_WORLD_RANK": "0"]) == first)
    #expect(try port(["OMPI_MCA_ess_base_jobid": "1235"]) != first)
    let byParent = try MPIEnvironment(Cluster.mpich.merging(["STRATAGEM_PARENT": "77"]) { $1 }).mainPort
    #expect(byParent != (try MPIEnvironment(Cluster.mpich.merging(["STRATAGEM_PARENT": "78"]) { $1 }).mainPort))
  }

  @Test(
    "ddp_spawn is ddp where the processes exist already",
    arguments: [
      Cluster.torchrun, Cluster.slurm, Cluster.openMPI.merging(["MASTER_ADDR": "a", "MASTER_PORT": "5"]) { $1 },
    ])
  func spawn(_ variables: [String: String]) throws {
    for (name, expected) in [
      ("ddp_spawn", "ddp"), ("ddp_spawn_find_unused_parameters_true", "ddp_find_unused_parameters_true"),
    ] {
      let request = RunRequest(strategy: name, accelerator: .cpu, devices: 2, numNodes: 2)
      let plan = try resolve(request, environment: variables)
      #expect(plan.strategyAlias == expected)
      #expect(plan.warnings.contains { $0.hasPrefix("strategy '\(name)' is '\(expected)' here, because") })
    }
    let own = ["LOCAL_RANK": "1", "WORLD_SIZE": "2", "MASTER_PORT": "4", "STRATAGEM_SUPERVISOR": "1"]
    let worker = RunRequest(strategy: "ddp_spawn", accelerator: .cpu, devices: 2)
    #expect(try resolve(worker, environment: own).strategyAlias == "ddp_spawn")
  }
}
