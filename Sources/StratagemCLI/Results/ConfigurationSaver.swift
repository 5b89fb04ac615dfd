internal import OrderedCollections
internal import Stratagem
internal import Torch

/// Saves the configuration of a fit as `config.yaml` in the output folder, and sees to it that all ranks have the same.
final class ConfigurationSaver: Callback {
  private let root: ConfigNode

  /// Settings that may differ between machines: places of files.
  private static let local = ["weights", "resume", "data.path", "trainer.output"]

  private let writesFile: Bool

  init(_ root: ConfigNode, writesFile: Bool) {
    self.root = root
    self.writesFile = writesFile
    super.init()
  }

  override func onFitStart(_ trainer: Trainer) throws {
    try compare(trainer)
    guard writesFile, trainer.isGlobalZero else { return }
    let path = trainer.outputDirectory + "/config.yaml"
    try WritableFolder.create(trainer.outputDirectory)
    let file = try AtomicFile(path)
    let bytes = Array(ConfigText.yaml(root).utf8)
    file.append(bytes)
    try file.check(needed: bytes.count)
    try file.commit()
  }

  /// Throws on every rank when one has another setting than rank 0.
  private func compare(_ trainer: Trainer) throws {
    guard trainer.worldSize > 1 else { return }
    let all = try trainer.strategy.allGather(object: root.leaves)
    for (rank, leaves) in all.enumerated() {
      for (key, value) in leaves.sorted(by: { $0.key < $1.key })
      where all[0][key] != value && !Self.local.contains(key) {
        throw ConfigurationError(
          key, "\(key) is \(all[0][key] ?? "not set") on rank 0 and \(value) on rank \(rank)",
          suggestion: "start all processes with the same configuration")
      }
    }
  }
}

extension ConfigNode {
  /// The values by their keys; a list counts as one value.
  var leaves: [String: String] {
    var leaves: [String: String] = [:]
    func visit(_ node: ConfigNode, _ path: [String]) {
      guard let map = node.map, !map.isEmpty else {
        leaves[path.joined(separator: ".")] = node.description
        return
      }
      for (key, child) in map { visit(child, path + [key]) }
    }
    visit(self, [])
    return leaves
  }
}
