import Stratagem
import Torch

/// A strategy that only describes itself.
final class DescribedStrategy: StrategyDescribing, StrategyConvertible {
  let strategyDescription: StrategyDescription
  init(_ description: StrategyDescription) { strategyDescription = description }
  var strategyReference: StrategyReference { .instance(self) }

  static func ddp(
    _ options: [String: StrategyOption] = [:], holding holdings: StrategyHoldings = StrategyHoldings()
  ) -> DescribedStrategy {
    DescribedStrategy(
      StrategyDescription(
        name: "ddp", accelerators: [.cpu, .cuda], processes: .onePerDevice, options: options, holdings: holdings))
  }
}

/// A precision plugin that only says what it is.
final class DescribedPrecision: PrecisionDescribing, PrecisionConvertible {
  let precisionKind: PrecisionKind
  init(_ kind: PrecisionKind) { precisionKind = kind }
  var precisionReference: PrecisionReference { .instance(self) }
}

/// An accelerator that only says what it is.
final class DescribedAccelerator: AcceleratorDescribing, AcceleratorConvertible {
  let acceleratorKind: AcceleratorKind
  init(_ kind: AcceleratorKind) { acceleratorKind = kind }
  var acceleratorReference: AcceleratorReference { .instance(self) }
}

extension StrategyConvertible where Self == DescribedStrategy {
  static func described(findUnusedParameters: Bool) -> DescribedStrategy {
    .ddp(["findUnusedParameters": .flag(findUnusedParameters)])
  }
}

/// Machines that are not there.
enum Machine {
  static let laptop = HardwareInventory(cpuCount: 2)
  static let eightGPUs = HardwareInventory(
    cpuCount: 64, gpus: Array(repeating: .init(name: "NVIDIA H200", memory: 141 << 30), count: 8))
  static let oneGPU = HardwareInventory(cpuCount: 16, gpus: [.init(name: "NVIDIA H200")])
  static let mac = HardwareInventory(cpuCount: 10, hasMPS: true)
  static let tpuPod = HardwareInventory(cpuCount: 96, tpuCores: 8)
  static let gaudi = HardwareInventory(cpuCount: 96, hpus: 8)
  static let graphcore = HardwareInventory(cpuCount: 48, ipus: 4)
  static let graphcorePod = HardwareInventory(cpuCount: 48, ipus: 16)
}

/// A registry of the strategies of this version, independent of the shared one.
func builtInRegistry() -> StrategyRegistry { StrategyRegistry(StrategyRegistry.shared.entries) }

func resolve(
  _ request: RunRequest, on machine: HardwareInventory = Machine.laptop, environment: [String: String] = [:],
  registry: StrategyRegistry = builtInRegistry()
) throws(ConfigurationError) -> RunPlan {
  try RunPlan.resolve(request, environment: environment, hardware: machine, registry: registry)
}

/// Returns the problems of a request, empty when it resolves.
func problems(
  _ request: RunRequest, on machine: HardwareInventory = Machine.laptop, environment: [String: String] = [:],
  registry: StrategyRegistry = builtInRegistry()
) -> [ConfigurationError.Problem] {
  do throws(ConfigurationError) {
    _ = try resolve(request, on: machine, environment: environment, registry: registry)
    return []
  } catch {
    return error.problems
  }
}
