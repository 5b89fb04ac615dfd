internal import Torch
internal import TorchDistributed

/// What moves tensors between processes.
extension RunPlanResolver {
  /// The variable of Lightning 1.6 for strategies that were not told a backend.
  static let backendVariable = "PL_TORCH_DISTRIBUTED_BACKEND"

  /// Chooses the backend of the process group: that of the strategy, else of the variable, else NCCL for GPUs and Gloo for
  /// processors. Nil for one process, and for hardware that has its own.
  mutating func chooseBackend() -> ProcessGroupBackend? {
    guard let strategy, let accelerator, strategy.isDistributed, [.cpu, .cuda].contains(accelerator) else { return nil }
    guard let asked = askedBackend() else { return nil }
    guard (asked.backend ?? (accelerator == .cuda ? .nccl : .gloo)) == .nccl else { return .gloo }
    guard hardware.has(.cuda), accelerator == .cuda else {
      reportNoGPU(asked.parameter, asked.origin, accelerator)
      return nil
    }
    if let problem = hardware.ncclProblem {
      guard asked.backend != nil else {
        warnings.append("NCCL cannot be used: \(problem); tensors of GPUs go through Gloo and the memory of the host")
        return .gloo
      }
      report(asked.parameter, "\(asked.origin) cannot be used: \(problem)", ProcessGroupBackend.remedy)
    }
    reportSharedDevices(strategy)
    return .nccl
  }

  /// What was asked for, and where; a backend of nil is for no wish, and nil for one that there is not.
  private mutating func askedBackend() -> (backend: ProcessGroupBackend?, parameter: String, origin: String)? {
    let option = "processGroupBackend"
    if case .text(let name)? = strategyOptions[option] {
      return take(name, option, "\(option): \(name)")
    }
    if let name = environment[Self.backendVariable], !name.isEmpty {
      return take(name, Self.backendVariable, "\(Self.backendVariable)=\(name)")
    }
    return (nil, option, "NCCL")
  }

  private mutating func take(
    _ name: String, _ parameter: String, _ origin: String
  ) -> (backend: ProcessGroupBackend?, parameter: String, origin: String)? {
    if let backend = ProcessGroupBackend(name: name) { return (backend, parameter, origin) }
    let known = ProcessGroupBackend.allCases.map(\.rawValue)
    report(parameter, "\(origin) is no backend of process groups here", "write " + known.joined(separator: " or "))
    return nil
  }

  private mutating func reportNoGPU(_ parameter: String, _ origin: String, _ accelerator: AcceleratorKind) {
    // An accelerator that is not there was reported as such.
    guard accelerator == .cpu else { return }
    let absence = hardware.absence(of: .cuda, environment: environment)
    let reason = absence?.reason ?? "the accelerator is 'cpu'"
    let remedy = absence?.suggestion ?? #"write accelerator: "cuda""#
    report(
      parameter, "\(origin) moves tensors of GPUs only, and \(reason)",
      "\(remedy); or choose gloo, the default without GPUs")
  }

  /// NCCL refuses two ranks on one GPU. Where a launcher shows each process one GPU, only the ranks together can tell.
  private mutating func reportSharedDevices(_ strategy: StrategyDescription) {
    guard strategy.processes == .onePerDevice, let indices else { return }
    if processesExist && hardware.gpus.count == 1 { return }
    var owner: [Int: Int] = [:]
    for (localRank, index) in indices.enumerated() {
      guard let other = owner.updateValue(localRank, forKey: index) else { continue }
      report(
        "devices", "local ranks \(other) and \(localRank) are both on cuda:\(index), which NCCL refuses",
        "give each rank a GPU of its own, or choose processGroupBackend: .gloo")
      return
    }
  }
}
