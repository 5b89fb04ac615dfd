internal import OrderedCollections
internal import Stratagem

/// A strategy by name, with options of its own: `ddp`, or `{name: ddp, findUnusedParameters: true}`.
struct StrategySetting: ConfigConvertible {
  var name: String
  /// The options, each with the place where it was written.
  var options: ConfigNode.Map = [:]
  private var origin = ConfigOrigin.program

  init(_ name: String) { self.name = name }

  static var accepted: String { "a name such as ddp, or a name with options such as {name: ddp, staticGraph: true}" }

  init?(_ node: ConfigNode) throws {
    guard var map = node.map, let name = map.removeValue(forKey: "name")?.scalar, !name.isNull else { return nil }
    self.name = name.text
    options = map
    origin = node.origin
  }

  var node: ConfigNode {
    var map = options
    map.updateValue(.text(name), forKey: "name", insertingAt: 0)
    return ConfigNode(content: .map(map), origin: origin, keys: .choice)
  }

  /// The strategy to give to a trainer: the name, or an object when there are options.
  ///
  /// - Throws: `ConfigurationError` for options that the strategy does not have and values that they cannot take.
  func resolve(_ registry: StrategyRegistry = .shared) throws -> any StrategyConvertible {
    if options.isEmpty { return name }
    if StrategyAlias.named(name)?.canonical == "bagua" { return try BaguaOptions(options).strategy() }
    let alias = StrategyAlias.named(name)
    if let sharded = try ShardedSetting(alias, options, origin)?.strategy { return sharded }
    guard name.lowercased() != "auto" else {
      throw ConfigurationError(
        "strategy", "\(origin.prefix)trainer.strategy has options but no name",
        suggestion: "name the strategy that the options are for, such as {name: ddp, \(options.keys[0]): ...}")
    }
    if alias?.canonical == "horovod" { return try HorovodOptions.read(options, origin).strategy }
    // A name that nobody knows is the more important problem.
    let description = try registry.description(of: name)
    if description.name == "deepspeed", alias?.canonical == "deepspeed" {
      return try DeepSpeedSetting.read(options, alias: name, presets: alias?.presets ?? [:], origin)
    }
    guard description.name == "ddp", alias?.canonical == "ddp" else {
      throw ConfigurationError(
        "strategy", "\(origin.prefix)strategy '\(name)' has no options in a configuration",
        suggestion: "write `strategy: \(name)`, or make the strategy object in the program")
    }
    return try DDPOptions.read(options, alias: name, presets: alias?.presets ?? [:], origin).strategy
  }
}
