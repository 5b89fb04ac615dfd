internal import OrderedCollections
internal import Stratagem

/// The options of `horovod` as settings.
struct HorovodOptions: Codable {
  var operation = NamedSetting(HorovodOperation.average)
  var compression = NamedSetting(GradientCompression.none)
  /// Bytes; null for Horovod's variable, or 128 MiB.
  var fusionThreshold: Int?
  var gradientPredivideFactor = 1.0
  var learningRateScaling = NamedSetting(LearningRateScaling.none)
  var hierarchical: Bool?
  var timeout: Double?
  var stallNotice: Double?
  var startMethod = NamedSetting(StartMethod.relaunch)
  var processGroupBackend = NamedSetting(BackendChoice.auto)

  /// Reads options over the usual ones.
  static func read(_ options: ConfigNode.Map, _ origin: ConfigOrigin) throws -> HorovodOptions {
    var reader = try StrategyOptionReader(options, over: HorovodOptions(), origin)
    let value = reader.value
    reader.requirePositive([
      ("gradientPredivideFactor", value.gradientPredivideFactor), ("timeout", value.timeout),
      ("stallNotice", value.stallNotice),
    ])
    if let threshold = value.fusionThreshold, threshold < 0 {
      reader.report("fusionThreshold", "is \(Double(threshold)); give a number of bytes, or 0 for no fusion")
    }
    return try reader.result()
  }

  var strategy: HorovodStrategy {
    HorovodStrategy(
      operation: operation.value, compression: compression.value, fusionThreshold: fusionThreshold,
      gradientPredivideFactor: gradientPredivideFactor, learningRateScaling: learningRateScaling.value,
      hierarchical: hierarchical, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod.value,
      processGroupBackend: processGroupBackend.value.backend)
  }
}
