import Testing
import Torch
import TorchDistributed

@testable import Stratagem
@testable import StratagemCLI

@Suite("Options of sharded strategies in configurations")
struct ShardedOptionTests {
  private func resolve(_ strategy: String) throws -> any StrategyConvertible {
    try Configured.load(TunableCommand.self, files: ["trainer: {strategy: \(strategy)}\n"]).values.trainer.strategy
      .resolve()
  }

  @Test("They make the strategy, over what the alias presets")
  func options() throws {
    let name = "ddp_sharded_spawn_find_unused_parameters_false"
    let sharded = try #require(
      try resolve("{name: \(name), layout: whole_parameters, bucketMegabytes: 1}") as? DDPShardedStrategy)
    #expect(sharded.layout == .wholeParameters && sharded.startMethod == .spawn && !sharded.findUnusedParameters)
    #expect(sharded.bucketByteCount == 1 << 20)
    let full = try #require(
      try resolve("{name: fsdp_cpu_offload, sharding: shard_grad_op, shards: 2, maximumPrefetches: 3}")
        as? FSDPStrategy)
    #expect(
      full.offloadsToCPU && full.sharding == .gradientsAndOptimizer && full.shardCount == 2 && full.replicaCount == nil)
    let made = try full.makeShardingOptions()
    #expect(made.stage == .parameters && !made.reshardAfterForward && made.maximumPrefetches == 3)
  }

  @Test(
    "Every strategy of several processes takes the backend of its group",
    arguments: ["ddp", "ddp_spawn", "ddp_sharded", "fsdp", "deepspeed_stage_3", "horovod", "bagua"])
  func backend(name: String) throws {
    func backend(_ choice: String) throws -> ProcessGroupBackend? {
      let made = try resolve("{name: \(name), processGroupBackend: \(choice)}")
      return try #require(made as? ParallelStrategy).processGroupBackend
    }
    #expect(try backend("nccl") == .nccl)
    #expect(try backend("gloo") == .gloo)
    #expect(try backend("auto") == nil)
    let error = #expect(throws: (any Error).self) { try backend("mpi") }
    #expect("\(error!)".contains("accepted: auto, gloo, nccl"))
  }

  @Test("What they cannot be")
  func problems() {
    func message(_ strategy: String) -> String {
      do {
        _ = try resolve(strategy)
        return ""
      } catch { return "\(error)" }
    }
    #expect(message("{name: fsdp, sharding: full}").contains("full_shard, shard_grad_op, no_shard"))
    #expect(message("{name: fsdp, shards: 0}").contains("trainer.strategy.shards is 0.0; give a number above 0"))
    #expect(message("{name: ddp_sharded, wrap: 1}").contains("no setting named 'trainer.strategy.wrap'"))
  }
}
