internal import OrderedCollections
internal import Stratagem

/// The options of `deepspeed` as settings: a ds_config, or some options.
struct DeepSpeedSetting: Codable {
  /// The path of a ds_config; it replaces the other options.
  var config: String?
  var stage = 2
  var offloadOptimizer = false
  var offloadParameters = false
  /// The folder of what is offloaded; nil for the memory of the host, or the place that the alias presets.
  var nvmePath: String?
  var timeout = 1800.0
  var startMethod = NamedSetting(StartMethod.relaunch)
  var processGroupBackend = NamedSetting(BackendChoice.auto)

  /// Reads options over what an alias presets.
  static func read(
    _ options: ConfigNode.Map, alias: String, presets: [String: StrategyOption], _ origin: ConfigOrigin
  ) throws -> DeepSpeedStrategy {
    var own = DeepSpeedSetting()
    if case .number(let stage) = presets["stage"] { own.stage = stage }
    own.offloadOptimizer = presets["offloadOptimizer"] == .flag(true)
    own.offloadParameters = presets["offloadParameters"] == .flag(true)
    var reader = try StrategyOptionReader(options, over: own, origin)
    let value = reader.value
    reader.requirePositive([("timeout", value.timeout)])
    if !(0...3).contains(value.stage) { reader.report("stage", "is \(value.stage); give 0, 1, 2 or 3") }
    if value.config != nil,
      let other = options.keys.first(where: {
        !["config", "timeout", "startMethod", "processGroupBackend"].contains($0)
      })
    {
      reader.report(other, "has no effect beside config: write it into the ds_config")
    }
    if value.nvmePath != nil, !value.offloadOptimizer, !value.offloadParameters {
      reader.report("nvmePath", "has no effect without offloadOptimizer or offloadParameters")
    }
    return try reader.result().strategy(usesDisk: presets["offloadOptimizerDevice"] == .text("nvme"))
  }

  private func strategy(usesDisk: Bool) -> DeepSpeedStrategy {
    var options = DeepSpeedOptions(
      stage: stage, offloadOptimizer: offloadOptimizer, offloadParameters: offloadParameters)
    options.nvmePath = nvmePath
    if usesDisk || nvmePath != nil {
      options.offloadOptimizerDevice = .nvme
      options.offloadParametersDevice = .nvme
    }
    return DeepSpeedStrategy(
      config: config.map { .file($0) }, options: options, timeout: timeout, startMethod: startMethod.value,
      processGroupBackend: processGroupBackend.value.backend)
  }
}
