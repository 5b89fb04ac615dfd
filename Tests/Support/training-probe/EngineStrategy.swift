import Stratagem

/// The sharding engine with the options that the command line names.
final class EngineStrategy: ShardedStrategy {
  private let options: ProbeOptions

  init(_ options: ProbeOptions) {
    self.options = options
    super.init(startMethod: StartMethod(rawValue: options["start"] ?? "relaunch") ?? .relaunch)
  }

  override var strategyDescription: StrategyDescription {
    StrategyDescription(name: "engine", accelerators: [.cpu], processes: .onePerDevice, holdings: givenPlugins)
  }

  override func makeShardingOptions() throws -> ShardingOptions {
    var own = ShardingOptions(ShardingOptions.Stage(rawValue: options.int("stage", 3)) ?? .parameters)
    own.layout = options["layout"].flatMap(ShardLayout.init) ?? .flat
    own.bucketByteCount = options.int("bucket", 1000)
    own.persistenceThreshold = options.int("persistence", 0)
    own.reshardAfterForward = options["reshard"] != "no"
    own.reducesEveryMicroBatch = options.has("every-micro-batch")
    own.findUnusedParameters = options["find-unused"] != "no"
    own.shards = options.int("shards")
    own.replicas = options.int("replicas")
    own.memoryLimit = options.int("memory-limit")
    own.parameterType = options["parameter-type"] == "bf16" ? .bfloat16 : nil
    own.reduceType = options["reduce-type"] == "bf16" ? .bfloat16 : nil
    own.masterType = options["master-type"] == "fp32" ? .float32 : nil
    switch options["wrap"] {
    case "whole": own.wrapPolicy = .whole
    case "types": own.wrapPolicy = .modules(of: ShardedModel.Block.self)
    case "layers": own.wrapPolicy = .modules(of: Linear.self, LayerNorm.self)
    case "size": own.wrapPolicy = .size(atLeast: 60)
    case "nothing": own.wrapPolicy = .modules { _, _ in false }
    case "nested": own.wrapPolicy = .modules { name, _ in name.hasPrefix("blocks.") && !name.hasSuffix("norm") }
    default: own.wrapPolicy = .automatic(minimum: 50)
    }
    return own
  }
}
