import Testing
import Torch

@testable import Stratagem

@Suite("Conflict table")
struct ConflictTableTests {
  /// A request that breaks exactly one rule, and a part of what is said about it.
  struct Row: Sendable, CustomTestStringConvertible {
    var rule: String
    var message: String
    var machine = Machine.laptop
    var request: @Sendable () -> RunRequest
    var testDescription: String { rule }

    init(
      _ rule: String, _ message: String, on machine: HardwareInventory = Machine.laptop,
      _ request: @escaping @Sendable () -> RunRequest
    ) {
      self.rule = rule
      self.message = message
      self.machine = machine
      self.request = request
    }

    /// A default request with one change.
    init(_ rule: String, _ message: String, changing change: @escaping @Sendable (inout RunRequest) -> Void) {
      self.init(rule, message) {
        var request = RunRequest(accelerator: .auto)
        change(&request)
        return request
      }
    }
  }

  static let rows: [Row] = ranges + exclusions + plugins + hardware

  static let ranges: [Row] = [
    Row("numNodes below 1", "numNodes: 0 is not a positive number") { $0.numNodes = 0 },
    Row("accumulate below 1", "accumulate: 0 is not a positive number of batches") { $0.accumulate = 0 },
    Row("clipNorm out of range", "clipNorm: -1.0 is not a positive number") { $0.clipNorm = -1 },
    Row("clipNorm out of range", "clipNorm: nan is not a positive number") { $0.clipNorm = .nan },
    Row("clipValue out of range", "clipValue: 0.0 is not a positive number") { $0.clipValue = 0 },
    Row("until out of range", "until: -1ep is not a duration of zero or more") { $0.until = .epochs(-1) },
    Row("sanityBatches out of range", "sanityBatches: -2 is negative") { $0.sanityBatches = -2 },
    Row("fastDevRun negative", "fastDevRun: -1 is a negative number of batches") { $0.fastDevRun = -1 },
    Row("logInterval negative", "logInterval: -1 is a negative number of steps") { $0.logInterval = -1 },
    Row("limitTrainBatches out of range", "limitTrainBatches: the fraction 1.5 is not in 0.0...1.0") {
      $0.limitTrainBatches = 1.5
    },
    Row("limitValidationBatches out of range", "limitValidationBatches: -1 batches is negative") {
      $0.limitValidationBatches = -1
    },
    Row("limitTestBatches out of range", "limitTestBatches: the fraction -0.5 is not in 0.0...1.0") {
      $0.limitTestBatches = -0.5
    },
    Row("limitPredictBatches out of range", "limitPredictBatches: -3 batches is negative") {
      $0.limitPredictBatches = -3
    },
    Row("overfitBatches out of range", "overfitBatches: the fraction 2.0 is not in 0.0...1.0") {
      $0.overfitBatches = 2.0
    },
    Row("validationInterval out of range", "validationInterval: the fraction 1.1 is not in 0.0...1.0") {
      $0.validationInterval = 1.1
    },
    Row("validationInterval zero", "validationInterval: 0 leaves no batch between validations") {
      $0.validationInterval = 0
    },
  ]

  static let exclusions: [Row] = [
    Row("clipNorm and clipValue", "clipNorm: 1.0 and clipValue: 0.5 are both given") {
      $0.clipNorm = 1
      $0.clipValue = 0.5
    },
    Row("deterministic and benchmark", "deterministic and benchmark are both on") {
      $0.deterministic = true
      $0.benchmark = true
    },
    Row(
      "accelerator in strategy and trainer",
      "accelerator is set both in strategy 'ddp' and in the trainer (accelerator: \"cpu\")"
    ) { RunRequest(strategy: DescribedStrategy.ddp(holding: .init(accelerator: .cpu)), accelerator: .cpu) },
    Row("devices in strategy and trainer", "devices is set both in strategy 'ddp' and in the trainer (devices: 2)") {
      RunRequest(strategy: DescribedStrategy.ddp(holding: .init(devices: [.cpu, .cpu])), devices: 2)
    },
    Row(
      "precision in strategy and trainer",
      "precision is set both in strategy 'ddp' and in the trainer (precision: \"64\")"
    ) { RunRequest(strategy: DescribedStrategy.ddp(holding: .init(precision: .float32)), precision: 64) },
    Row(
      "devices of the strategy and accelerator differ",
      "strategy 'ddp' was given the device cpu, but the accelerator is 'cuda'", on: Machine.eightGPUs
    ) { RunRequest(strategy: DescribedStrategy.ddp(holding: .init(devices: [.cpu])), accelerator: .gpu) },
  ]

  static let hardware: [Row] = [
    Row(
      "float64 on hardware without it", "precision '64' is not supported on accelerator 'mps'", on: Machine.mac
    ) { RunRequest(accelerator: .mps, precision: 64) },
    Row("bfloat16 on IPUs", "precision 'bf16' is not supported on accelerator 'ipu'", on: Machine.graphcore) {
      RunRequest(accelerator: .ipu, precision: "bf16")
    },
    Row(
      "foreign precision plugin on TPU cores", "the precision plugin DescribedPrecision is not made for TPU cores",
      on: Machine.tpuPod
    ) { RunRequest(accelerator: .tpu, precision: DescribedPrecision(.bfloat16Mixed)) },
    Row(
      "fork where there is none", "strategy 'ddp_notebook' forks processes, which this system cannot",
      on: HardwareInventory(cpuCount: 2, canFork: false)
    ) { RunRequest(strategy: "ddp_notebook", devices: 2) },
    Row(
      "launcher in an interactive session",
      "strategy 'ddp' starts its processes by running the program again, which an interactive session cannot"
    ) {
      $0.strategy = .named("ddp")
      $0.isInteractive = true
    },
    Row(
      "horovod on several nodes", "strategy 'horovod' takes the number of nodes from its launcher, but numNodes is 2"
    ) {
      $0.strategy = .named("horovod")
      $0.numNodes = 2
    },
  ]

  static let plugins: [Row] =
    PluginRole.allCases.map { role in
      Row("two plugins: \(role)", "plugins has 2 for \(role): First, Second") {
        $0.plugins = [.init(role, typeName: "First"), .init(role, typeName: "Second")]
      }
    }
    + PluginRole.allCases.map { role in
      Row(
        "plugin in strategy and trainer: \(role)",
        "\(role) is set both in strategy 'ddp' and in the trainer (plugins: Mine)"
      ) {
        let holdings = StrategyHoldings(
          accelerator: role == .accelerator ? .cpu : nil, precision: role == .precision ? .float32 : nil,
          plugins: [role])
        var request = RunRequest(strategy: DescribedStrategy.ddp(holding: holdings))
        request.plugins = [.init(role, typeName: "Mine")]
        return request
      }
    }
    + [
      Row("precision and precision plugin", "precision: \"32\" and the precision plugin Mine are both given") {
        var request = RunRequest(precision: 32)
        request.plugins = [.init(.precision, typeName: "Mine")]
        return request
      },
      Row("accelerator and accelerator plugin", "accelerator: \"cpu\" and the accelerator plugin Mine are both given") {
        var request = RunRequest(accelerator: .cpu)
        request.plugins = [.init(.accelerator, typeName: "Mine")]
        return request
      },
      Row(
        "syncBatchNorm and layer synchronization plugin", "syncBatchNorm and the plugin Mine are both given"
      ) {
        $0.syncBatchNorm = true
        $0.plugins = [.init(.layerSync, typeName: "Mine")]
      },
    ]

  @Test("each rule finds what it is for, and nothing else is found", arguments: rows)
  func finds(_ row: Row) throws {
    do throws(ConfigurationError) {
      let plan = try resolve(row.request(), on: row.machine)
      #expect(plan.warnings.filter { $0.contains(row.message) }.count == 1)
    } catch {
      #expect(error.problems.map(\.message) == [row.message])
      #expect(error.problems.allSatisfy { $0.suggestion != nil })
    }
  }

  @Test("every rule of the table has a request that breaks it, and no two rules share a name")
  func complete() {
    let names = RunPlanConflict.table.map(\.name)
    #expect(Set(names).count == names.count)
    #expect(Set(Self.rows.map(\.rule)) == Set(names))
  }

  @Test("one batch and all batches are told apart")
  func oneOrAll() throws {
    var request = RunRequest()
    request.limitTrainBatches = 1
    request.limitTestBatches = 1.0
    request.limitValidationBatches = 2
    let plan = try resolve(request)
    #expect(plan.warnings.isEmpty)
    #expect(
      plan.notes == [
        "limitTrainBatches: 1 means one batch; 1.0 means all of them",
        "limitTestBatches: 1.0 means all batches; 1 means one of them",
      ])
  }

  @Test("a request that sets everything once breaks no rule")
  func harmless() throws {
    let strategy = DescribedStrategy.ddp(holding: .init(plugins: [.checkpointIO]))
    var request = RunRequest(strategy: strategy, accelerator: .cpu, devices: 2, precision: "bf16-mixed")
    request.plugins = [.init(.clusterEnvironment, typeName: "Mine"), .init(.layerSync, typeName: "Mine")]
    request.clipNorm = 1
    request.accumulate = 4
    request.until = .steps(0)
    request.limitTrainBatches = 0.5
    request.limitTestBatches = 0
    request.validationInterval = 1
    request.sanityBatches = -1
    request.deterministic = true
    let plan = try resolve(request)
    #expect(plan.warnings.isEmpty)
  }

  @Test("plugins tell accelerator and precision when nothing else does")
  func pluginsFillIn() throws {
    var request = RunRequest()
    request.plugins = [
      .init(.precision, typeName: "Mine", precision: .float16Mixed),
      .init(.accelerator, typeName: "Mine", accelerator: .cpu),
    ]
    let plan = try resolve(request, on: Machine.eightGPUs)
    #expect(plan.accelerator == .cpu)
    #expect(plan.precision == .float16Mixed)
  }
}
