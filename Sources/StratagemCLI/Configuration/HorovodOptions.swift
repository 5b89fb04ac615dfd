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

  /// Reads options over the usual ones.
  static func read(_ options: ConfigNode.Map, _ origin: ConfigOrigin) throws -> HorovodOptions {
    let defaults = try ConfigEncoder.encode(HorovodOptions())
    let path = ["trainer", "strategy"]
    var merge = ConfigMerge(defaults, path: path)
    merge.add(ConfigNode(content: .map(options), origin: origin))
    let (value, problems) = try ConfigDecoder.decode(
      HorovodOptions.self, from: merge.root, defaults: defaults, path: path)
    var all = merge.problems + problems
    func require(_ name: String, _ number: Double?, _ isUsable: (Double) -> Bool, _ hint: String) {
      guard let number, !isUsable(number) else { return }
      let prefix = (options[name]?.origin ?? origin).prefix
      all.append(.init("trainer.strategy.\(name)", "\(prefix)trainer.strategy.\(name) is \(number); \(hint)"))
    }
    for (name, number) in [
      ("gradientPredivideFactor", value.gradientPredivideFactor), ("timeout", value.timeout),
      ("stallNotice", value.stallNotice),
    ] {
      require(name, number, { $0 > 0 && $0.isFinite }, "give a number above 0")
    }
    require(
      "fusionThreshold", value.fusionThreshold.map(Double.init), { $0 >= 0 },
      "give a number of bytes, or 0 for no fusion")
    if let error = ConfigurationError(all) { throw error }
    return value
  }

  var strategy: HorovodStrategy {
    HorovodStrategy(
      operation: operation.value, compression: compression.value, fusionThreshold: fusionThreshold,
      gradientPredivideFactor: gradientPredivideFactor, learningRateScaling: learningRateScaling.value,
      hierarchical: hierarchical, timeout: timeout, stallNotice: stallNotice, startMethod: startMethod.value)
  }
}
