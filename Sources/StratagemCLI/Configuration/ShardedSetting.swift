internal import OrderedCollections
internal import Stratagem

/// The options of `ddp_sharded` and `fsdp` as settings.
struct ShardedSetting {
  let strategy: any StrategyConvertible

  private struct DDPSharded: Codable {
    var findUnusedParameters = true
    var layout = NamedSetting(ShardLayout.flat)
    var bucketMegabytes = 25.0
    var broadcastBuffers = true
    var timeout = 1800.0
    var startMethod = NamedSetting(StartMethod.relaunch)
    var processGroupBackend = NamedSetting(BackendChoice.auto)
  }

  private struct FSDP: Codable {
    var sharding = NamedSetting(FSDPStrategy.Sharding.full)
    /// The parameters that a layer in a list has at least to be gathered on its own.
    var minimumUnit = 100_000
    var replicas: Int?
    var shards: Int?
    var offloadToCPU = false
    var forwardPrefetch = true
    var backwardPrefetch = true
    var maximumPrefetches = 1
    var findUnusedParameters = true
    var timeout = 1800.0
    var startMethod = NamedSetting(StartMethod.relaunch)
    var processGroupBackend = NamedSetting(BackendChoice.auto)
  }

  /// Nil for other strategies.
  init?(_ alias: StrategyAlias?, _ options: ConfigNode.Map, _ origin: ConfigOrigin) throws {
    guard let alias else { return nil }
    switch alias.canonical {
    case "ddp_sharded":
      var usual = DDPSharded()
      if case .flag(let value) = alias.presets["findUnusedParameters"] { usual.findUnusedParameters = value }
      if case .text(let name) = alias.presets["start"], let method = StartMethod(rawValue: name) {
        usual.startMethod.value = method
      }
      let value = try Self.read(options, usual, origin) {
        [("bucketMegabytes", $0.bucketMegabytes), ("timeout", $0.timeout)]
      }
      strategy = DDPShardedStrategy(
        findUnusedParameters: value.findUnusedParameters, layout: value.layout.value,
        bucketMegabytes: value.bucketMegabytes, broadcastBuffers: value.broadcastBuffers, timeout: value.timeout,
        startMethod: value.startMethod.value,
        processGroupBackend: value.processGroupBackend.value.backend)
    case "fsdp":
      var usual = FSDP()
      if case .flag(let value) = alias.presets["offloadToCPU"] { usual.offloadToCPU = value }
      let value = try Self.read(options, usual, origin) { value in
        let counts: [(name: String, count: Int?)] = [
          ("replicas", value.replicas), ("shards", value.shards), ("minimumUnit", value.minimumUnit),
          ("maximumPrefetches", value.maximumPrefetches),
        ]
        let numbers: [(String, Double?)] = counts.map { ($0.name, $0.count.map { Double($0) }) }
        return numbers + [("timeout", value.timeout)]
      }
      strategy = FSDPStrategy(
        wrapPolicy: .automatic(minimum: value.minimumUnit), sharding: value.sharding.value,
        replicas: value.replicas, shards: value.shards, offloadToCPU: value.offloadToCPU,
        forwardPrefetch: value.forwardPrefetch, backwardPrefetch: value.backwardPrefetch,
        maximumPrefetches: value.maximumPrefetches, findUnusedParameters: value.findUnusedParameters,
        timeout: value.timeout, startMethod: value.startMethod.value,
        processGroupBackend: value.processGroupBackend.value.backend)
    default: return nil
    }
  }

  /// Reads options over what an alias presets.
  ///
  /// - Parameter positive: the numbers that have to be above 0.
  private static func read<Options: Codable>(
    _ options: ConfigNode.Map, _ usual: Options, _ origin: ConfigOrigin, positive: (Options) -> [(String, Double?)]
  ) throws -> Options {
    var reader = try StrategyOptionReader(options, over: usual, origin)
    reader.requirePositive(positive(reader.value))
    return try reader.result()
  }
}
