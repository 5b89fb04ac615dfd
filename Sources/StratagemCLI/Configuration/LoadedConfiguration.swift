internal import Glibc
internal import OrderedCollections
internal import Stratagem

/// The configuration of a run, put together from the program's defaults, files and the command line.
struct LoadedConfiguration<Program: TrainingCommand> {
  let values: RunConfiguration<Program.HyperParameters>
  /// The same as a tree that knows where each value was written.
  let root: ConfigNode

  /// The defaults of the program as a tree, which says what settings there are.
  static func defaults() throws -> ConfigNode {
    try ConfigEncoder.encode(RunConfiguration<Program.HyperParameters>(Program.defaults))
  }

  /// Lays files over the defaults, and settings of the command line over these.
  ///
  /// - Throws: `ConfigurationError` with everything that does not fit.
  init(files: [ConfigNode], settings: [CommandLineSetting] = []) throws {
    let defaults = try Self.defaults()
    var merge = ConfigMerge(defaults)
    for file in files { merge.add(file) }
    for setting in settings { merge.add(setting.layer) }
    var (values, problems) = try ConfigDecoder.decode(
      RunConfiguration<Program.HyperParameters>.self, from: merge.root, defaults: defaults)
    var check = SettingCheck(merge.root)
    values.check(&check)
    if let error = ConfigurationError(merge.problems + problems + check.problems) { throw error }
    values.complete(Program.defaults)
    self.values = values
    root = Self.completed(merge.root, by: try ConfigEncoder.encode(values))
  }

  /// The name of a setting in messages.
  func name(of key: String) -> String { SettingName.of(key, in: root) }

  /// The settings as a file that reads back as them.
  var yaml: String { ConfigText.yaml(root) }

  /// The tree with the values that were put in where there were none.
  private static func completed(_ root: ConfigNode, by values: ConfigNode) -> ConfigNode {
    var root = root
    for key in ["trainer.epochs", "trainer.maxSteps", "optimizer.lr", "optimizer.weightDecay"] {
      let path = key.split(separator: ".").map(String.init)
      if root[path]?.isNull == true { root[path] = values[path] }
    }
    return root
  }
}
