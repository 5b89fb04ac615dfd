internal import Torch

extension RunPlanResolver {
  /// The hardware of the accelerator or the devices that the strategy object was given, or of an accelerator plugin.
  private var held: AcceleratorKind? {
    strategy?.holdings.accelerator ?? strategy?.holdings.devices?.first.flatMap(AcceleratorKind.init)
      ?? request.plugins.lazy.compactMap(\.accelerator).first
  }

  /// Finds the hardware to run on.
  mutating func findAccelerator() {
    switch request.accelerator {
    case .instance(let instance): adopt(instance.acceleratorKind, named: instance.acceleratorKind.rawValue)
    case .named(let name):
      switch name.lowercased() {
      case "auto": if let held { adopt(held, named: held.rawValue) } else { chooseAccelerator() }
      case "gpu": chooseGPU(named: name)
      case let lowered:
        if let kind = AcceleratorKind(rawValue: lowered) {
          adopt(kind, named: name)
        } else {
          reportUnknown(name)
        }
      }
    }
  }

  /// Takes the best hardware present that the strategy runs on.
  private mutating func chooseAccelerator() {
    var allowed = strategy?.accelerators ?? Set(AcceleratorKind.allCases)
    if isSpawn { allowed.insert(.tpu) }
    // A strategy that runs on none of what is present is reported by name later.
    accelerator = AcceleratorKind.preference.first { hardware.has($0) && allowed.contains($0) } ?? .cpu
  }

  private mutating func chooseGPU(named name: String) {
    if hardware.has(.mps) {
      adopt(.mps, named: name)
    } else if hardware.has(.cuda) {
      adopt(.cuda, named: name)
    } else {
      report(
        "accelerator", "accelerator '\(name)' is not available: this machine has no GPU that libtorch can use",
        "available here: \(hardware)" + adviceOnGPUs)
    }
  }

  private mutating func adopt(_ kind: AcceleratorKind, named name: String) {
    accelerator = kind
    if !hardware.has(kind) {
      let reason = hardware.absence(of: kind, environment: environment).map { ": " + $0.reason } ?? ""
      report(
        "accelerator", "accelerator '\(name)' is not available on this machine" + reason,
        "available here: \(hardware)" + (kind == .cuda ? adviceOnGPUs : ""))
    }
  }

  private var adviceOnGPUs: String {
    hardware.absence(of: .cuda, environment: environment).map { "; for GPUs: \($0.suggestion)" } ?? ""
  }

  private mutating func reportUnknown(_ name: String) {
    var hint = NearestName.suggestion(for: name, among: AcceleratorName.known).map { "did you mean '\($0)'? " } ?? ""
    if name.lowercased().hasPrefix("ddp") || StrategyAlias.named(name) != nil {
      hint = "'\(name)' is a strategy: write it as strategy: \"\(name)\". "
    }
    report(
      "accelerator", "no accelerator named '\(name)'",
      hint + "known: " + NearestName.ranked(name, among: AcceleratorName.known).joined(separator: ", "))
  }
}
