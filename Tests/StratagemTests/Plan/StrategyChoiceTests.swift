import Stratagem
import Testing
import Torch

@Suite("Choice of strategy, accelerator and precision")
struct StrategyChoiceTests {
  struct Choice: CustomTestStringConvertible, Sendable {
    var machine: HardwareInventory
    var accelerator: String
    var devices: DeviceRequest
    var nodes = 1
    var strategy: String
    var kind: AcceleratorKind
    var worldSize: Int
    var testDescription: String { "\(accelerator) \(devices) ×\(nodes) on \(machine)" }
  }

  @Test(
    "auto",
    arguments: [
      Choice(
        machine: Machine.laptop, accelerator: "auto", devices: .auto, strategy: "single_device", kind: .cpu,
        worldSize: 1),
      Choice(
        machine: Machine.laptop, accelerator: "cpu", devices: 1, strategy: "single_device", kind: .cpu, worldSize: 1),
      Choice(machine: Machine.laptop, accelerator: "CPU", devices: 2, strategy: "ddp", kind: .cpu, worldSize: 2),
      Choice(
        machine: Machine.laptop, accelerator: "cpu", devices: 1, nodes: 2, strategy: "ddp", kind: .cpu, worldSize: 2),
      Choice(
        machine: Machine.eightGPUs, accelerator: "auto", devices: .auto, strategy: "ddp", kind: .cuda, worldSize: 8),
      Choice(
        machine: Machine.eightGPUs, accelerator: "gpu", devices: [2], strategy: "single_device", kind: .cuda,
        worldSize: 1),
      Choice(
        machine: Machine.eightGPUs, accelerator: "cuda", devices: 4, nodes: 4, strategy: "ddp", kind: .cuda,
        worldSize: 16),
      Choice(
        machine: Machine.oneGPU, accelerator: "auto", devices: .auto, strategy: "single_device", kind: .cuda,
        worldSize: 1),
      Choice(
        machine: Machine.mac, accelerator: "auto", devices: .auto, strategy: "single_device", kind: .mps, worldSize: 1),
      Choice(machine: Machine.tpuPod, accelerator: "auto", devices: .auto, strategy: "xla", kind: .tpu, worldSize: 8),
      Choice(
        machine: Machine.tpuPod, accelerator: "tpu", devices: [3], strategy: "single_xla", kind: .tpu, worldSize: 1),
      Choice(
        machine: Machine.gaudi, accelerator: "auto", devices: .auto, strategy: "hpu_parallel", kind: .hpu, worldSize: 8),
      Choice(machine: Machine.gaudi, accelerator: "hpu", devices: 1, strategy: "hpu_single", kind: .hpu, worldSize: 1),
      Choice(
        machine: Machine.graphcore, accelerator: "auto", devices: .auto, strategy: "ipu_strategy", kind: .ipu,
        worldSize: 1),
    ])
  func automatic(_ row: Choice) throws {
    let request = RunRequest(
      strategy: .auto, accelerator: row.accelerator, devices: row.devices, numNodes: row.nodes)
    let environment = ["MASTER_ADDR": "10.0.0.1", "MASTER_PORT": "29500", "NODE_RANK": "0"]
    let plan = try resolve(request, on: row.machine, environment: row.nodes > 1 ? environment : [:])
    #expect(plan.strategyName == row.strategy)
    #expect(plan.accelerator == row.kind)
    #expect(plan.worldSize == row.worldSize)
    #expect(plan.startsProcesses == ["ddp", "xla", "hpu_parallel"].contains(row.strategy))
  }

  @Test("hardware that the processors are chosen over is mentioned")
  func passedOver() throws {
    let note = try resolve(RunRequest(accelerator: .cpu), on: Machine.eightGPUs).notes
    #expect(note == [#"8 GPUs are present and not used; accelerator: "cuda" uses them"#])
  }

  @Test("every spelling of a choice fits one initializer and gives the same plan")
  func spellings() throws {
    let plan = try resolve(RunRequest(strategy: .ddp, accelerator: .cpu, devices: 2, precision: .float32))
    let name = "ddp"
    let count = 2
    #expect(try resolve(RunRequest(strategy: "ddp", accelerator: "cpu", devices: "2", precision: "32-true")) == plan)
    #expect(try resolve(RunRequest(strategy: "DDP", accelerator: "Cpu", devices: 2, precision: 32)) == plan)
    #expect(try resolve(RunRequest(strategy: name, accelerator: .cpu, devices: .count(count))) == plan)
    #expect(
      try resolve(RunRequest(accelerator: AcceleratorKind.cpu, devices: 2, precision: PrecisionKind.float32)) == plan)
  }

  @Test("a strategy object is described, not looked up")
  func instances() throws {
    let request = RunRequest(
      strategy: .described(findUnusedParameters: true), accelerator: DescribedAccelerator(.cpu), devices: 2,
      precision: DescribedPrecision(.bfloat16Mixed))
    let plan = try resolve(request, registry: StrategyRegistry())
    #expect(plan.strategyAlias == nil)
    #expect(plan.strategyName == "ddp")
    #expect(plan.strategyOptions == ["findUnusedParameters": true])
    #expect(plan.precision == .bfloat16Mixed)
    guard case .instance(let given) = request.strategy else { return #expect(Bool(false)) }
    #expect(try plan.makeStrategy(for: request) === given)
  }

  @Test(
    "presets of an alias are in the plan",
    arguments: [("ddp_find_unused_parameters_true", true), ("DDP_Find_Unused_Parameters_False", false)])
  func presets(_ name: String, _ value: Bool) throws {
    let plan = try resolve(RunRequest(strategy: name, accelerator: .cpu, devices: 2))
    #expect(plan.strategyName == "ddp")
    #expect(plan.strategyAlias == name.lowercased())
    #expect(plan.strategyOptions == ["findUnusedParameters": .flag(value)])
    #expect(plan.description.hasPrefix("ddp (findUnusedParameters: \(value)) on 2 processes"))
  }

  @Test("single_device takes one device of many on auto and refuses more")
  func singleDevice() throws {
    let plan = try resolve(RunRequest(strategy: .singleDevice), on: Machine.eightGPUs)
    #expect(plan.devices == [.cuda(0)])
    for devices in [2, -1, [0, 3]] as [DeviceRequest] {
      let found = problems(RunRequest(strategy: .singleDevice, devices: devices), on: Machine.eightGPUs)
      #expect(found.map(\.parameter) == ["strategy"])
      #expect(found.first?.suggestion?.contains(#"strategy: "ddp""#) == true)
    }
    let nodes = problems(RunRequest(strategy: .singleDevice, accelerator: .cpu, numNodes: 2))
    #expect(nodes.map(\.message) == ["strategy 'single_device' runs on one node, but numNodes is 2"])
  }

  @Test("names that are not known get the nearest known ones")
  func unknownNames() throws {
    let found = problems(RunRequest(strategy: "dpp", accelerator: "gpuu", precision: "bf16-mxied"))
    #expect(found.map(\.parameter) == ["strategy", "accelerator", "precision"])
    #expect(
      found.first?.description.hasPrefix("no strategy named 'dpp'; did you mean 'ddp'? known: ddp, ") == true)
    #expect(found[1].suggestion?.hasPrefix("did you mean 'gpu'? known: gpu, ") == true)
    #expect(found[2].suggestion?.hasPrefix("did you mean 'bf16-mixed'? known: bf16-mixed, ") == true)
    let planned = problems(RunRequest(strategy: "hivemin"))
    #expect(planned.first?.suggestion?.hasPrefix("did you mean 'hivemind' (not part of this version yet)?") == true)
    let misplaced = problems(RunRequest(accelerator: "ddp"))
    #expect(misplaced.first?.suggestion?.hasPrefix(#"'ddp' is a strategy: write it as strategy: "ddp"."#) == true)
  }

  @Test(
    "every alias of the table resolves where its hardware is; one that is planned cannot be made",
    arguments: StrategyAlias.all)
  func aliases(_ alias: StrategyAlias) throws {
    let request = RunRequest(strategy: alias.name)
    let machine = HardwareInventory(
      cpuCount: 8, gpus: Machine.oneGPU.gpus, hasMPS: true, tpuCores: 8, hpus: 8, ipus: 4)
    let found = problems(request, on: machine)
    switch alias.availability {
    case .available:
      #expect(found.isEmpty)
    case .planned:
      #expect(found.isEmpty)
      let plan = try resolve(request, on: machine)
      let error = #expect(throws: ConfigurationError.self) { try plan.makeStrategy(for: request) }
      let first = try #require(error?.problems.first)
      #expect(first.message.hasSuffix("is known but not part of this version yet"))
      #expect(first.suggestion?.hasPrefix("available now: auto, bagua, ddp, ") == true)
    case .rejected(let instead):
      #expect(found.map(\.message) == ["'\(alias.name)' is not a valid strategy"])
      #expect(found.first?.suggestion == instead)
    }
  }

  @Test(
    "an accelerator that is absent is not available",
    arguments: ["gpu", "cuda", "mps", "tpu", "ipu", "hpu"])
  func absent(_ name: String) {
    let found = problems(RunRequest(accelerator: name))
    #expect(found.map(\.parameter) == ["accelerator"])
    #expect(found.first?.suggestion?.hasPrefix("available here: cpu (2 cores)") == true)
    #expect(found.first?.suggestion?.contains("nvidia-smi") == ["gpu", "cuda"].contains(name))
    #expect(found.first?.message.contains("'\(name)' is not available") == true)
  }

  @Test("gpu is MPS where there is one, else CUDA")
  func gpu() throws {
    #expect(try resolve(RunRequest(accelerator: .gpu), on: Machine.mac).accelerator == .mps)
    #expect(try resolve(RunRequest(accelerator: .gpu), on: Machine.oneGPU).accelerator == .cuda)
    var both = Machine.eightGPUs
    both.hasMPS = true
    #expect(try resolve(RunRequest(accelerator: .gpu), on: both).accelerator == .mps)
  }

  @Test(
    "a plan for hardware that this version cannot drive is no run",
    arguments: [Machine.mac, Machine.tpuPod, Machine.gaudi, Machine.graphcore])
  func plannedHardware(_ machine: HardwareInventory) throws {
    let request = RunRequest()
    let plan = try resolve(request, on: machine)
    let error = #expect(throws: ConfigurationError.self) { try plan.makeStrategy(for: request) }
    let last = try #require(error?.problems.last)
    #expect(last.message == "accelerator '\(plan.accelerator)' is known but not part of this version yet")
    #expect(last.suggestion == "available now: cpu, cuda")
    #expect(error?.problems.count == (plan.accelerator == .mps ? 1 : 2))
    #expect(throws: ConfigurationError.self) { try Trainer(hardware: machine) }
  }

  @Test("the DDP family does not run on MPS, TPU, HPU or IPU", arguments: ["mps", "tpu", "hpu", "ipu"])
  func foreignHardware(_ name: String) throws {
    let machine = HardwareInventory(cpuCount: 4, hasMPS: true, tpuCores: 8, hpus: 8, ipus: 4)
    let found = problems(RunRequest(strategy: .ddp, accelerator: name), on: machine)
    #expect(found.map(\.message) == ["strategy 'ddp' does not run on accelerator '\(name)'"])
  }

  @Test(
    "precision names",
    arguments: [
      ("32", PrecisionKind.float32), ("32-true", .float32), ("64", .float64), ("64-true", .float64),
      ("bf16", .bfloat16Mixed), ("BF16-mixed", .bfloat16Mixed), ("bf16-true", .bfloat16), ("16-mixed", .bfloat16Mixed),
      ("16", .bfloat16Mixed), ("16-true", .float16),
    ])
  func precision(_ name: String, _ kind: PrecisionKind) throws {
    let plan = try resolve(RunRequest(accelerator: .cpu, precision: name))
    #expect(plan.precision == kind)
    #expect(plan.warnings.isEmpty == !["16", "16-mixed"].contains(name))
  }

  @Test("16-mixed is float16 on a GPU")
  func float16() throws {
    let plan = try resolve(RunRequest(accelerator: .gpu, precision: 16), on: Machine.oneGPU)
    #expect(plan.precision == .float16Mixed)
    #expect(plan.warnings.isEmpty)
  }

  @Test("precisions that this version lacks", arguments: ["transformer-engine", "transformer-engine-float16"])
  func plannedPrecision(_ name: String) {
    let found = problems(RunRequest(precision: name))
    #expect(found.map(\.message) == ["precision '\(name)' is known but not part of this version yet"])
    #expect(found.first?.suggestion == "available now: 64-true, 32-true, bf16-mixed, 16-mixed, bf16-true, 16-true")
  }

  @Test("nothing is lost when everything is wrong")
  func allAtOnce() throws {
    var request = RunRequest(strategy: "dpp", accelerator: "gpu", devices: "two", numNodes: 0, precision: "31")
    request.clipNorm = 1
    request.clipValue = 1
    request.accumulate = 0
    let environment = ["LOCAL_RANK": "first", "RANK": "-1"]
    let found = problems(request, environment: environment)
    #expect(
      found.map(\.parameter) == [
        "strategy", "accelerator", "RANK", "LOCAL_RANK", "devices", "precision", "numNodes", "accumulate", "clipNorm",
      ])
    let error = try #require(ConfigurationError(found))
    let lines = error.description.split(separator: "\n")
    #expect(lines.count == 10)
    #expect(lines[0] == "9 problems in the configuration:")
    #expect(lines[1].hasPrefix("  1. no strategy named 'dpp'; did you mean 'ddp'?"))
    #expect(lines[9].hasPrefix("  9. clipNorm: 1.0 and clipValue: 1.0 are both given; "))
    #expect(ConfigurationError([]) == nil)
    #expect(ConfigurationError("a", "wrong", suggestion: "right").description == "wrong; right")
  }
}
