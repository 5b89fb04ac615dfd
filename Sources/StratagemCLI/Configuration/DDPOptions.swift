internal import OrderedCollections
internal import Stratagem

/// The options of `ddp` as settings.
struct DDPOptions: Codable {
  var findUnusedParameters = false
  var bucketMegabytes = 25.0
  var gradientAsBucketView = false
  var staticGraph = false
  var broadcastBuffers = true
  var timeout = 1800.0
  var startMethod = NamedSetting(StartMethod.relaunch)
  var communicationHook = NamedSetting(HookChoice.none)
  var communicationWrapper = NamedSetting(HookWrapperChoice.none)
  /// The columns of PowerSGD's matrices.
  var powerSGDRank = 1
  /// Steps before PowerSGD or local SGD begins.
  var hookStartStep = 1000
  /// Ranks that average gradients in the local steps of post-local SGD; 0 for those of a node.
  var hookGroupSize = 0
  /// Steps between averagings of the models in local SGD; 0 for none.
  var modelAveragingPeriod = 0

  /// Reads options over what an alias presets.
  static func read(
    _ options: ConfigNode.Map, alias: String, presets: [String: StrategyOption], _ origin: ConfigOrigin
  ) throws -> DDPOptions {
    var own = DDPOptions()
    if case .flag(let value) = presets["findUnusedParameters"] { own.findUnusedParameters = value }
    if case .text(let name) = presets["start"], let method = StartMethod(rawValue: name) {
      own.startMethod.value = method
    }
    let defaults = try ConfigEncoder.encode(own)
    let path = ["trainer", "strategy"]
    var merge = ConfigMerge(defaults, path: path)
    merge.add(ConfigNode(content: .map(options), origin: origin))
    let (value, problems) = try ConfigDecoder.decode(DDPOptions.self, from: merge.root, defaults: defaults, path: path)
    var all = merge.problems + problems
    for (name, number) in [("bucketMegabytes", value.bucketMegabytes), ("timeout", value.timeout)]
    where !(number > 0 && number.isFinite) {
      all.append(
        .init(
          "trainer.strategy.\(name)",
          "\((options[name]?.origin ?? origin).prefix)trainer.strategy.\(name) is \(number); give a number above 0"))
    }
    for (name, number, least) in [
      ("powerSGDRank", value.powerSGDRank, 1), ("hookStartStep", value.hookStartStep, 0),
      ("hookGroupSize", value.hookGroupSize, 0),
      ("modelAveragingPeriod", value.modelAveragingPeriod, 0),
    ] where number < least {
      all.append(
        .init(
          "trainer.strategy.\(name)",
          "\((options[name]?.origin ?? origin).prefix)trainer.strategy.\(name) is \(number); give at least \(least)"))
    }
    if let error = ConfigurationError(all) { throw error }
    return value
  }

  var strategy: DDPStrategy {
    DDPStrategy(
      findUnusedParameters: findUnusedParameters, bucketMegabytes: bucketMegabytes,
      gradientAsBucketView: gradientAsBucketView, staticGraph: staticGraph, broadcastBuffers: broadcastBuffers,
      communicationHook: communicationHook.value.hook(
        rank: powerSGDRank, startStep: hookStartStep, groupSize: hookGroupSize > 0 ? hookGroupSize : nil),
      communicationWrapper: communicationWrapper.value.wrapper,
      modelAveragingPeriod: modelAveragingPeriod > 0 ? modelAveragingPeriod : nil, timeout: timeout,
      startMethod: startMethod.value)
  }
}
