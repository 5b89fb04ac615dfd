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
  var processGroupBackend = NamedSetting(BackendChoice.auto)
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
    var reader = try StrategyOptionReader(options, over: own, origin)
    let value = reader.value
    reader.requirePositive([("bucketMegabytes", value.bucketMegabytes), ("timeout", value.timeout)])
    for (name, number, least) in [
      ("powerSGDRank", value.powerSGDRank, 1), ("hookStartStep", value.hookStartStep, 0),
      ("hookGroupSize", value.hookGroupSize, 0),
      ("modelAveragingPeriod", value.modelAveragingPeriod, 0),
    ] where number < least {
      reader.report(name, "is \(number); give at least \(least)")
    }
    return try reader.result()
  }

  var strategy: DDPStrategy {
    DDPStrategy(
      findUnusedParameters: findUnusedParameters, bucketMegabytes: bucketMegabytes,
      gradientAsBucketView: gradientAsBucketView, staticGraph: staticGraph, broadcastBuffers: broadcastBuffers,
      communicationHook: communicationHook.value.hook(
        rank: powerSGDRank, startStep: hookStartStep, groupSize: hookGroupSize > 0 ? hookGroupSize : nil),
      communicationWrapper: communicationWrapper.value.wrapper,
      modelAveragingPeriod: modelAveragingPeriod > 0 ? modelAveragingPeriod : nil, timeout: timeout,
      startMethod: startMethod.value,
      processGroupBackend: processGroupBackend.value.backend)
  }
}
