/// The configuration that a strategy goes by, and what follows from it before a run.
struct GivenDeepSpeedConfig {
  let config: Result<DeepSpeedConfig, ConfigurationError>
  /// Whether it was written as one, instead of made from options.
  let isGiven: Bool
  let lossScaling: LossScaling
  /// The plugin that it asks for.
  let precision: Precision?

  /// Takes `source`, else the file that the environment names, else the options.
  init(_ source: DeepSpeedConfigSource?, _ options: DeepSpeedOptions) {
    let variable = ClusterEnvironments.processVariables[DeepSpeedStrategy.configVariable]
    let path = variable.flatMap { $0.isEmpty ? nil : $0 }
    let source = source ?? path.map { .file($0) }
    isGiven = source != nil
    config = Result { () throws(ConfigurationError) in try (source ?? .value(options.json)).read() }
    var precision: Precision?
    if case .success(let config) = config {
      lossScaling = config.lossScaling
      if config.float16 { precision = LossScalingPrecision(config.lossScaling) }
      if config.bfloat16 { precision = Precision.make(.bfloat16Mixed) }
    } else {
      lossScaling = options.lossScaling
    }
    self.precision = precision
  }
}
