internal import OrderedCollections

/// A flag with a short name for a setting.
struct SettingFlag {
  let name: String
  let key: String

  static let all = [
    SettingFlag("--weights", "weights"), SettingFlag("--data", "data.path"),
    SettingFlag("--batch-size", "data.batchSize"), SettingFlag("--no-shuffle", "data.shuffle"),
    SettingFlag("--strategy", "trainer.strategy"), SettingFlag("--accelerator", "trainer.accelerator"),
    SettingFlag("--devices", "trainer.devices"), SettingFlag("--num-nodes", "trainer.numNodes"),
    SettingFlag("--precision", "trainer.precision"), SettingFlag("--seed", "seed"),
    SettingFlag("--output", "trainer.output"), SettingFlag("--progress", "trainer.progress"),
    SettingFlag("--epochs", "trainer.epochs"), SettingFlag("--max-steps", "trainer.maxSteps"),
    SettingFlag("--optimizer", "optimizer.name"), SettingFlag("--lr", "optimizer.lr"),
    SettingFlag("--momentum", "optimizer.momentum"), SettingFlag("--weight-decay", "optimizer.weightDecay"),
    SettingFlag("--schedule", "optimizer.schedule"), SettingFlag("--accumulate", "trainer.accumulate"),
    SettingFlag("--clip-norm", "trainer.clipNorm"), SettingFlag("--clip-value", "trainer.clipValue"),
    SettingFlag("--resume", "resume"), SettingFlag("--checkpoint-every-steps", "checkpoint.everySteps"),
    SettingFlag("--no-checkpoints", "checkpoint.enabled"),
  ]

  private init(_ name: String, _ key: String) {
    self.name = name
    self.key = key
  }

  /// The setting of a flag that was given.
  static func layer(_ name: String, _ value: ConfigNode) -> CommandLineSetting {
    guard let flag = all.first(where: { $0.name == name }) else { preconditionFailure("no flag \(name)") }
    var node = value
    node.origin = .flag(name)
    return CommandLineSetting(name: name, key: flag.key.split(separator: ".").map(String.init), value: node)
  }
}

/// A setting that the command line makes, by a short flag or by its key.
struct CommandLineSetting {
  /// As written before the value, such as `--devices` or `--trainer.devices`.
  let name: String
  let key: [String]
  let value: ConfigNode

  /// The configuration that says only this.
  var layer: ConfigNode {
    var node = ConfigNode(content: .map([:]), origin: value.origin)
    node[key] = value
    return node
  }
}
