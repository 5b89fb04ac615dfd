extension RunPlanResolver {
  /// Finds the number format; a plugin's own is taken as it is.
  mutating func findPrecision() {
    switch request.precision {
    case .unspecified:
      precision = strategy?.holdings.precision ?? request.plugins.lazy.compactMap(\.precision).first ?? .float32
    case .instance(let plugin): precision = plugin.precisionKind
    case .named(let name):
      // The strategy's own is used where both say the same.
      if let held = strategy?.holdings.precision, held == PrecisionKind(name: name) {
        precision = held
      } else {
        findPrecision(named: name)
      }
    }
  }

  /// Names of mixed precision in Lightning 1.6 and NVIDIA's apex, and what to write instead.
  private static let replaced = [
    "mixed": "16-mixed", "apex": "16-mixed", "o1": "16-mixed", "o2": "16-mixed", "o0": "32-true", "o3": "16-true",
  ]

  private mutating func findPrecision(named name: String) {
    guard let kind = PrecisionKind(name: name) else {
      if let instead = Self.replaced[name.lowercased()] {
        return report("precision", "'\(name)' is no precision of this library", "write \"\(instead)\"")
      }
      let hint = NearestName.suggestion(for: name, among: PrecisionKind.names).map { "did you mean '\($0)'? " } ?? ""
      report(
        "precision", "no precision named '\(name)'",
        hint + "known: " + NearestName.ranked(name, among: PrecisionKind.names).joined(separator: ", "))
      return
    }
    if kind == .float16Mixed, let accelerator, accelerator == .cpu || accelerator == .tpu {
      warnings.append(
        "precision '\(name)' is not supported on accelerator '\(accelerator)'; the run uses 'bf16-mixed' instead")
      precision = .bfloat16Mixed
    } else if PrecisionKind.supported.contains(kind) {
      precision = kind
    } else {
      let supported = PrecisionKind.allCases.filter(PrecisionKind.supported.contains).map(\.rawValue)
      report(
        "precision", "precision '\(name)' is known but not part of this version yet",
        "available now: " + supported.joined(separator: ", "))
    }
  }
}
