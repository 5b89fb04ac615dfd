/// The objects given to a trainer as `plugins`, by the part they take over.
struct TrainerPlugins {
  private(set) var accelerator: Accelerator?
  private(set) var precision: Precision?
  private(set) var checkpointIO: (any CheckpointIO)?
  private(set) var layerSync: (any LayerSync)?
  private(set) var descriptions: [PluginDescription] = []
  /// Every object that is no plugin. Two for one part are found by the plan.
  private(set) var problems: [ConfigurationError.Problem] = []

  init(_ plugins: [Any]) {
    for plugin in plugins {
      let name = "\(type(of: plugin))"
      switch plugin {
      case let given as Accelerator:
        accelerator = given
        descriptions.append(PluginDescription(.accelerator, typeName: name, accelerator: given.acceleratorKind))
      case let given as Precision:
        precision = given
        descriptions.append(PluginDescription(.precision, typeName: name, precision: given.precisionKind))
      case let given as any CheckpointIO:
        checkpointIO = given
        descriptions.append(PluginDescription(.checkpointIO, typeName: name))
      case let given as any LayerSync:
        layerSync = given
        descriptions.append(PluginDescription(.layerSync, typeName: name))
      case let given as any ClusterEnvironment:
        descriptions.append(PluginDescription(given))
      case is any StrategyDescribing:
        problems.append(
          .init(
            "plugins", "\(name) is a strategy and no plugin",
            suggestion: "give it to the trainer as strategy: \(name)()")
        )
      default:
        problems.append(
          .init(
            "plugins", "\(name) is not a plugin",
            suggestion: "give a Precision, CheckpointIO, ClusterEnvironment, LayerSync or Accelerator"))
      }
    }
  }
}
