extension StrategyRegistry {
  /// The strategies of this library: those that this version runs, and descriptions of those it does not run yet.
  static var builtIn: [Entry] { planned + available + deepSpeed }

  private static var available: [Entry] {
    [
      Entry("single_device") { SingleDeviceStrategy() },
      Entry("ddp") { DDPStrategy() },
      Entry("ddp_find_unused_parameters_false") { DDPStrategy(findUnusedParameters: false) },
      Entry("ddp_find_unused_parameters_true") { DDPStrategy(findUnusedParameters: true) },
      Entry("dp") { DataParallelStrategy() },
      Entry("ddp2") { DDP2Strategy() },
      Entry("ddp_sharded") { DDPShardedStrategy() },
      Entry("ddp_sharded_find_unused_parameters_false") { DDPShardedStrategy(findUnusedParameters: false) },
      Entry("ddp_sharded_spawn") { DDPShardedStrategy(startMethod: .spawn) },
      Entry("ddp_sharded_spawn_find_unused_parameters_false") {
        DDPShardedStrategy(findUnusedParameters: false, startMethod: .spawn)
      },
      Entry("fsdp") { FSDPStrategy() },
      Entry("ddp_fully_sharded") { FSDPStrategy() },
      Entry("fsdp_native") { FSDPStrategy() },
      Entry("fsdp_native_full_shard_offload") { FSDPStrategy(offloadToCPU: true) },
      Entry("fsdp_cpu_offload") { FSDPStrategy(offloadToCPU: true) },
      Entry("horovod") { HorovodStrategy() },
      Entry("bagua") { BaguaStrategy() },
    ]
      + [("ddp_spawn", StartMethod.spawn), ("ddp_fork", .fork), ("ddp_notebook", .fork)].flatMap { name, method in
        [
          Entry(name) { DDPStrategy(startMethod: method) },
          Entry("\(name)_find_unused_parameters_false") {
            DDPStrategy(findUnusedParameters: false, startMethod: method)
          },
          Entry("\(name)_find_unused_parameters_true") { DDPStrategy(findUnusedParameters: true, startMethod: method) },
        ]
      }
  }

  private static var deepSpeed: [Entry] {
    [
      Entry("deepspeed") { DeepSpeedStrategy() },
      Entry("deepspeed_stage_1") { DeepSpeedStrategy(stage: 1) },
      Entry("deepspeed_stage_1_offload") { DeepSpeedStrategy(stage: 1, offloadOptimizer: true) },
      Entry("deepspeed_stage_2") { DeepSpeedStrategy(stage: 2) },
      Entry("deepspeed_stage_2_offload") { DeepSpeedStrategy(stage: 2, offloadOptimizer: true) },
      Entry("deepspeed_stage_3") { DeepSpeedStrategy(stage: 3) },
      Entry("deepspeed_stage_3_offload") {
        DeepSpeedStrategy(stage: 3, offloadOptimizer: true, offloadParameters: true)
      },
      Entry("deepspeed_stage_3_offload_nvme") {
        var options = DeepSpeedOptions(stage: 3, offloadOptimizer: true, offloadParameters: true)
        options.remoteDevice = .nvme
        options.offloadOptimizerDevice = .nvme
        options.offloadParametersDevice = .nvme
        return DeepSpeedStrategy(options: options)
      },
    ]
  }

  private static var planned: [Entry] {
    StrategyAlias.all.filter { $0.availability == .planned }.map { Entry(planned: $0) }
  }
}
