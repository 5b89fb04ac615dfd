internal import TorchDistributed
internal import TorchNN

/// What the ranks must have in common before they exchange tensors: names, shapes and types of parameters and buffers, and
/// which of them are trained.
struct ParameterFingerprint {
  private let lines: [String]

  /// - Parameter heading: something else that must be the same on all ranks.
  init(_ module: AnyLightningModule, _ heading: String) {
    var lines = ["algorithm \(heading)"]
    for (name, parameter) in module.namedParameters() {
      let state = parameter.requiresGradient ? "" : " (frozen)"
      lines.append("parameter '\(name)' \(parameter.tensor.shape) \(parameter.tensor.dtype)\(state)")
    }
    for (name, buffer) in module.namedBuffers() {
      lines.append("buffer '\(name)' \(buffer.tensor.shape) \(buffer.tensor.dtype)")
    }
    self.lines = lines
  }

  private var hash: UInt64 {
    lines.joined(separator: "\n").utf8.reduce(14_695_981_039_346_656_037) { ($0 ^ UInt64($1)) &* 1_099_511_628_211 }
  }

  /// - Throws: `ConfigurationError` on all ranks, with the first difference between rank 0 and another one.
  func compare(in group: ProcessGroup) throws {
    let hashes = try group.allGather(object: hash)
    guard let other = hashes.firstIndex(where: { $0 != hashes[0] }) else { return }
    let all = try group.allGather(object: lines)
    let (first, second) = (all[0], all[other])
    let place = first.indices.first { $0 >= second.count || first[$0] != second[$0] } ?? first.count
    func line(_ lines: [String]) -> String { place < lines.count ? lines[place] : "nothing more" }
    throw ConfigurationError(
      "strategy",
      "the ranks have different models: rank 0 has \(line(first)) where rank \(other) has \(line(second)) "
        + "(\(first.count - 1) and \(second.count - 1) tensors in all)",
      suggestion: "build and freeze the same module on all ranks")
  }
}
