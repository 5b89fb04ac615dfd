import Testing
import Torch

@testable import Stratagem

/// The table of conflicts of Lightning's connector, row by row.
///
/// Decided otherwise: `dp` and `ddp2` run on processors, and so does `fsdp`.
@Suite("The connector's table of conflicts")
struct ContractTests {
  struct Row: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var machine: HardwareInventory
    /// The arguments that are reported, and the beginning of the first message.
    var parameters: [String]
    var message: String
    var request: @Sendable () -> RunRequest

    init(
      _ name: String, on machine: HardwareInventory = Machine.laptop, _ parameters: String, _ message: String,
      _ request: @escaping @Sendable () -> RunRequest
    ) {
      testDescription = name
      self.machine = machine
      self.parameters = parameters.split(separator: " ").map(String.init)
      self.message = message
      self.request = request
    }
  }

  static let everything = HardwareInventory(
    cpuCount: 8, gpus: Machine.eightGPUs.gpus, hasMPS: true, tpuCores: 8, hpus: 8, ipus: 4)

  static let names: [Row] = [
    Row("unknown strategy", "strategy", "no strategy named 'dppp'") { RunRequest(strategy: "dppp") },
    Row("unknown accelerator", "accelerator", "no accelerator named 'npu'") { RunRequest(accelerator: "npu") },
    Row("unavailable accelerator", "accelerator", "accelerator 'tpu' is not available on this machine") {
      RunRequest(accelerator: .tpu)
    },
    Row("no GPU", "accelerator", "accelerator 'gpu' is not available: this machine has no GPU") {
      RunRequest(accelerator: .gpu)
    },
    Row("ddp_cpu as strategy", "strategy", "'ddp_cpu' is not a valid strategy") { RunRequest(strategy: "ddp_cpu") },
    Row("tpu_spawn as strategy", on: Machine.tpuPod, "strategy", "'tpu_spawn' is not a valid strategy") {
      RunRequest(strategy: "tpu_spawn", accelerator: .tpu)
    },
    Row("strategy and accelerator both name strategies", "accelerator", "no accelerator named 'dp'") {
      RunRequest(strategy: "ddp", accelerator: "dp", devices: 2)
    },
    Row("accelerator names a strategy", "accelerator", "no accelerator named 'ddp'") {
      RunRequest(accelerator: "ddp", devices: 2)
    },
    Row("numNodes below 1", "numNodes", "numNodes: -1 is not a positive number") { RunRequest(numNodes: -1) },
    Row("apex", on: Machine.oneGPU, "precision", "'apex' is no precision of this library") {
      RunRequest(precision: "apex")
    },
    Row("a level of apex", on: Machine.oneGPU, "precision", "'O2' is no precision of this library") {
      RunRequest(precision: "O2")
    },
    Row("horovod on several nodes", "numNodes", "strategy 'horovod' takes the number of nodes from its launcher") {
      RunRequest(strategy: "horovod", devices: 2, numNodes: 2)
    },
  ]

  static let hardware: [Row] =
    [
      Row("TPU and a foreign strategy", on: Machine.tpuPod, "accelerator", "strategy 'ddp' does not run on") {
        RunRequest(strategy: "ddp", accelerator: .tpu, devices: 8)
      },
      Row("TPU and precision 64", on: Machine.tpuPod, "precision", "precision '64' is not supported on") {
        RunRequest(accelerator: .tpu, precision: 64)
      },
      Row("TPU and a foreign precision object", on: Machine.tpuPod, "precision", "the precision plugin Described") {
        RunRequest(accelerator: .tpu, precision: DescribedPrecision(.bfloat16Mixed))
      },
      Row("TPU and a foreign precision plugin", on: Machine.tpuPod, "precision", "the precision plugin Mine") {
        var request = RunRequest(accelerator: .tpu)
        request.plugins = [.init(.precision, typeName: "Mine", precision: .bfloat16Mixed)]
        return request
      },
      Row("IPU and bfloat16", on: Machine.graphcore, "precision", "precision 'bf16' is not supported on") {
        RunRequest(accelerator: .ipu, precision: "bf16")
      },
      Row("devices of the processors and a GPU", on: Machine.oneGPU, "accelerator", "strategy 'ddp' was given") {
        RunRequest(strategy: DescribedStrategy.ddp(holding: .init(devices: [.cpu])), accelerator: .gpu)
      },
      Row("GPUs and TPU cores", on: everything, "accelerator accelerator", "strategy 'ddp' does not run on") {
        RunRequest(strategy: DescribedStrategy.ddp(holding: .init(devices: [.cuda(0)])), accelerator: .tpu)
      },
    ]
    + ["ddp", "dp", "deepspeed"].map { name in
      Row("HPU and \(name)", on: Machine.gaudi, "accelerator", "strategy '\(name)' does not run on accelerator 'hpu'") {
        RunRequest(strategy: name, accelerator: .hpu)
      }
    }
    + ["ddp", "ddp_spawn", "ddp2", "dp", "deepspeed_stage_3", "ddp_sharded", "bagua"].map { name in
      Row("MPS and \(name)", on: Machine.mac, "accelerator", "strategy '") {
        RunRequest(strategy: name, accelerator: .mps)
      }
    }
    + ["mps", "tpu", "hpu", "ipu"].map { accelerator in
      Row("fsdp and \(accelerator)", on: everything, "accelerator", "strategy 'fsdp' does not run on") {
        RunRequest(strategy: "fsdp", accelerator: accelerator)
      }
    }

  static let launchers: [Row] =
    StrategyAlias.all.filter { $0.presets["start"] == "fork" }.map { alias in
      Row("\(alias.name) without fork", on: noFork, "strategy", "strategy '\(alias.name)' forks processes") {
        RunRequest(strategy: alias.name, devices: 2)
      }
    }
    + ["ddp", "ddp_spawn", "ddp_sharded", "fsdp", "deepspeed", "bagua", "ddp2"].map { name in
      Row("\(name) in an interactive session", "strategy", "strategy '\(name)' starts its processes by running") {
        var request = RunRequest(strategy: name, devices: 2)
        request.isInteractive = true
        return request
      }
    }

  static let noFork = HardwareInventory(cpuCount: 2, canFork: false)

  @Test("every row that is an error", arguments: names + hardware + launchers)
  func errors(_ row: Row) throws {
    let found = problems(row.request(), on: row.machine)
    #expect(found.map(\.parameter) == row.parameters)
    #expect(found.first?.message.hasPrefix(row.message) == true, "\(found)")
    #expect(found.allSatisfy { $0.suggestion != nil })
  }

  @Test("a strategy among the plugins, and a plugin of an unknown type, are told with everything else that is wrong")
  func plugins() throws {
    let error = #expect(throws: ConfigurationError.self) {
      try Trainer(strategy: "dppp", devices: 0, plugins: [DDPStrategy(), 17], maxSteps: 0)
    }
    #expect(error?.problems.map(\.parameter) == ["plugins", "plugins", "maxSteps", "strategy", "devices"])
    #expect(
      error?.problems[0].description
        == "DDPStrategy is a strategy and no plugin; give it to the trainer as strategy: DDPStrategy()")
    #expect(error?.problems[1].message == "Int is not a plugin")
  }

  @Test("what a strategy was given must not be given to the trainer as well")
  func holdings() throws {
    let strategy = DDPStrategy(
      accelerator: CPUAccelerator(), precision: Precision(), checkpointIO: FileCheckpointIO(), devices: [.cpu, .cpu],
      clusterEnvironment: ClusterDetectionTests.TestCluster())
    let error = #expect(throws: ConfigurationError.self) {
      try Trainer(
        strategy: strategy, accelerator: "cpu", devices: 2, numNodes: 2, precision: "32",
        plugins: [FileCheckpointIO(), ClusterDetectionTests.TestCluster()])
    }
    #expect(
      error?.problems.map(\.parameter).sorted()
        == ["accelerator", "checkpointIO", "clusterEnvironment", "devices", "precision"])
    let plan = try resolve(RunRequest(strategy: strategy, numNodes: 2))
    #expect(plan.cluster.environment == "mine" && plan.rank == 2 && plan.devices == [.cpu, .cpu])
  }

  @Test("a worker that was started for an environment of one's own finds its place in the variables")
  func ownWorker() throws {
    let identity = WorkerIdentity(localRank: 1, nodeRank: 1, localWorldSize: 2, numNodes: 2)
    let variables = identity.variables(mainAddress: "10.0.0.1", mainPort: 9).merging(["STRATAGEM_SUPERVISOR": "1"]) {
      $1
    }
    let strategy = DDPStrategy(clusterEnvironment: ClusterDetectionTests.TestCluster())
    let request = RunRequest(strategy: strategy, accelerator: .cpu, devices: 2, numNodes: 2)
    #expect(try resolve(request, environment: variables).rank == 3)
  }

  @Test("the REPL is an interactive session, a program is none")
  func sessions() {
    #expect(InteractiveSession.isOne(program: "/usr/bin/repl_swift"))
    #expect(!InteractiveSession.isOne(program: "/home/x/.build/debug/digits"))
    #expect(!InteractiveSession.isCurrent)
  }

  @Test("devices: auto without an accelerator is the default")
  func autoDevices() throws {
    #expect(try resolve(RunRequest(devices: .auto), on: Machine.eightGPUs).devices.count == 8)
  }

  @Test("16 bit on TPU cores is bfloat16, with a warning")
  func tpuHalf() throws {
    let plan = try resolve(RunRequest(accelerator: .tpu, precision: 16), on: Machine.tpuPod)
    #expect(plan.precision == .bfloat16Mixed)
    #expect(plan.warnings.count == 1)
  }

  @Test(
    "dp and ddp2 run on processors, and so does what other libraries refuse there",
    arguments: ["dp", "ddp2", "fsdp", "deepspeed", "bagua"])
  func processors(_ name: String) throws {
    let plan = try resolve(RunRequest(strategy: name, accelerator: .cpu, devices: 2))
    #expect(plan.strategyName == name && plan.warnings.isEmpty && plan.devices == [.cpu, .cpu])
    #expect(plan.worldSize == (name.hasPrefix("d") && name.count < 5 ? 1 : 2))
  }

  @Test("deterministic and benchmark together are warned of")
  func benchmark() throws {
    var request = RunRequest()
    request.deterministic = true
    request.benchmark = true
    #expect(try resolve(request).warnings.count == 1)
  }

  @Test("an interactive session takes one GPU unless more are asked for, and forks")
  func interactive() throws {
    var request = RunRequest()
    request.isInteractive = true
    let auto = try resolve(request, on: Machine.eightGPUs)
    #expect(auto.strategyName == "single_device" && auto.devices == [.cuda(0)])
    request.devices = 4
    let four = try resolve(request, on: Machine.eightGPUs)
    #expect(four.strategyAlias == "ddp_fork" && four.worldSize == 4)
    for name in ["dp", "single_device", "ddp_notebook", "ddp_fork_find_unused_parameters_true"] {
      request.strategy = .named(name)
      request.devices = 1
      #expect(problems(request, on: Machine.eightGPUs).isEmpty)
    }
    request.strategy = .named("ddp")
    let torchrun = RunPlanRanksTests.torchrun(rank: 0, of: 1, localRank: 0, of: 1)
    #expect(problems(request, on: Machine.eightGPUs, environment: torchrun).isEmpty)
  }

  struct Configuration: Sendable, CustomTestStringConvertible {
    var testDescription: String
    var machine: HardwareInventory
    var strategy: String
    var kind: AcceleratorKind
    var devices: Int
    var worldSize: Int
    var request: @Sendable () -> RunRequest

    init(
      _ name: String, on machine: HardwareInventory, _ strategy: String, _ kind: AcceleratorKind, devices: Int,
      worldSize: Int, _ request: @escaping @Sendable () -> RunRequest
    ) {
      testDescription = name
      self.machine = machine
      self.strategy = strategy
      self.kind = kind
      self.devices = devices
      self.worldSize = worldSize
      self.request = request
    }
  }

  @Test(
    "the seven configurations of Lightning's page on strategies",
    arguments: [
      Configuration("ddp gpu 4", on: Machine.eightGPUs, "ddp", .cuda, devices: 4, worldSize: 4) {
        RunRequest(strategy: "ddp", accelerator: "gpu", devices: 4)
      },
      Configuration("DDPStrategy gpu 4", on: Machine.eightGPUs, "ddp", .cuda, devices: 4, worldSize: 4) {
        RunRequest(strategy: DDPStrategy(staticGraph: true), accelerator: "gpu", devices: 4)
      },
      Configuration("ddp_spawn auto 4", on: Machine.eightGPUs, "ddp", .cuda, devices: 4, worldSize: 4) {
        RunRequest(strategy: "ddp_spawn", accelerator: "auto", devices: 4)
      },
      Configuration("deepspeed gpu auto", on: Machine.eightGPUs, "deepspeed", .cuda, devices: 8, worldSize: 8) {
        RunRequest(strategy: "deepspeed", accelerator: "gpu", devices: "auto")
      },
      Configuration("ddp cpu 3", on: Machine.laptop, "ddp", .cpu, devices: 3, worldSize: 3) {
        RunRequest(strategy: "ddp", accelerator: "cpu", devices: 3)
      },
      Configuration("ddp_spawn tpu 8", on: Machine.tpuPod, "xla", .tpu, devices: 8, worldSize: 8) {
        RunRequest(strategy: "ddp_spawn", accelerator: "tpu", devices: 8)
      },
      Configuration("ipu 8", on: Machine.graphcorePod, "ipu_strategy", .ipu, devices: 8, worldSize: 1) {
        RunRequest(accelerator: "ipu", devices: 8)
      },
    ])
  func page(_ row: Configuration) throws {
    let plan = try resolve(row.request(), on: row.machine)
    #expect(plan.strategyName == row.strategy)
    #expect(plan.accelerator == row.kind)
    #expect(plan.devices == (0..<row.devices).map(row.kind.device))
    #expect(plan.worldSize == row.worldSize)
  }

  @Test("ddp_spawn finds TPU cores by itself, and takes one by index")
  func spawnOnCores() throws {
    #expect(try resolve(RunRequest(strategy: "ddp_spawn"), on: Machine.tpuPod).strategyName == "xla")
    let one = try resolve(RunRequest(strategy: "ddp_spawn", accelerator: .tpu, devices: [5]), on: Machine.tpuPod)
    #expect(one.strategyName == "single_xla" && one.rootDevice == AcceleratorKind.tpu.device(at: 5))
    #expect("\(one)".contains("single_xla (start: spawn)") == false)
  }

  @Test("presets of planned strategies are in the plan")
  func presets() throws {
    let request = RunRequest(strategy: "deepspeed_stage_3_offload", accelerator: .gpu, devices: 2)
    let plan = try resolve(request, on: Machine.eightGPUs)
    #expect(plan.strategyName == "deepspeed")
    #expect(plan.strategyOptions == ["stage": 3, "offloadOptimizer": true, "offloadParameters": true])
    #expect("\(plan)".hasPrefix("deepspeed (offloadOptimizer: true, offloadParameters: true, stage: 3) on 2 processes"))
  }
}
