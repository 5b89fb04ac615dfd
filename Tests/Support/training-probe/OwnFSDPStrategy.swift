import Stratagem

/// A subclass that a user of the library wrote, with a wrap policy of its own.
final class OwnFSDPStrategy: FSDPStrategy {
  init() {
    super.init(wrapPolicy: .modules { name, module in module is ShardedModel.Block && name != "blocks.1" })
  }

  override func makeShardingOptions() throws -> ShardingOptions {
    var options = try super.makeShardingOptions()
    options.prefetchesForward = false
    return options
  }
}
