internal import OrderedCollections
internal import Stratagem

/// The options of `deepspeed` as settings: a ds_config, or some options.
struct DeepSpeedSetting: Codable {
  /// The path of a ds_config; it replaces the other options.
  var config: String?
  var stage = 2
  var offloadOptimizer = false
  var offloadParameters = false
  var nvmePath: String?
  var timeout = 1800.0
  var startMethod = NamedSetting(StartMethod.relaunch)

  /// Reads options over what an alias presets.
  static func read(
    _ options: ConfigNode.Map, alias: String, presets: [String: StrategyOption], _ origin: ConfigOrigin
  ) throws -> DeepSpeedStrategy {
    var own = DeepSpeedSetting()
    if case .number(let stage) = presets["stage"] { own.stage = stage }
    own.offloadOptimizer = presets["offloadOptimizer"] == .flag(true)
    own.offloadParameters = presets["offloadParameters"] == .flag(true)
    let defaults = try ConfigEncoder.encode(own)
    let path = ["trainer", "strategy"]
    var merge = ConfigMerge(defaults, path: path)
    merge.add(ConfigNode(content: .map(options), origin: origin))
    let (value, problems) = try ConfigDecoder.decode(
      DeepSpeedSetting.self, from: merge.root, defaults: defaults, path: path)
    var all = merge.problems + problems
    func report(_ name: String, _ message: String) {
      all.append(
        .init(
          "trainer.strategy.\(name)", "\((options[name]?.origin ?? origin).prefix)trainer.strategy.\(name) \(message)"))
    }
    if !(value.timeout > 0 && value.timeout.isFinite) {
      report("timeout", "is \(value.timeout); give a number above 0")
    }
    if !(0...3).contains(value.stage) { report("stage", "is \(value.stage); give 0, 1, 2 or 3") }
    if value.config != nil,
      let other = options.keys.first(where: { !["config", "timeout", "startMethod"].contains($0) })
    {
      report(other, "has no effect beside config: write it into the ds_config")
    }
    if let error = ConfigurationError(all) { throw error }
    return value.strategy(usesDisk: presets["offloadOptimizerDevice"] == .text("nvme"))
  }

  private func strategy(usesDisk: Bool) -> DeepSpeedStrategy {
    var options = DeepSpeedOptions(
      stage: stage, offloadOptimizer: offloadOptimizer, offloadParameters: offloadParameters)
    options.nvmePath = nvmePath
    if usesDisk {
      options.offloadOptimizerDevice = .nvme
      options.offloadParametersDevice = .nvme
    }
    return DeepSpeedStrategy(
      config: config.map { .file($0) }, options: options, timeout: timeout, startMethod: startMethod.value)
  }
}
