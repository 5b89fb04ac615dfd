/// Data parallelism in one process: a replica of the model for each device, each on a thread of its own, over one model
/// object; every batch is split among them.
///
/// On the processors `devices: 2` means two replicas of one thread each, and weights are not copied. Parts are cut as
/// `torch.chunk` does: 5 samples on 4 replicas make parts of 2, 2 and 1. The loss is the mean of the parts' losses
/// weighted by their samples, and so are logged values, so that both, and the gradients, are those of the whole batch
/// where they are means over samples.
///
/// The steps of the module run on several threads at once, over the same object:
/// - Properties that a step changes, other than parameters and buffers, need a lock.
/// - Buffers are the module's own in replica 0; the others have copies whose changes are lost after the step, as in
///   PyTorch's `DataParallel`. Running statistics are therefore those of the first part of each batch.
/// - Hooks on the gradient of a parameter see that of replica 0 alone.
/// - Random numbers of replica 0 come from the default generator, those of the others from generators of their own, seeded
///   in each step from the default one: the same seed and number of replicas give the same numbers.
open class DataParallelStrategy: Strategy {
  open override var strategyDescription: StrategyDescription {
    StrategyDescription(
      name: "dp", summary: "One process; a replica for each device, the batch split among them.",
      accelerators: [.cpu, .cuda], processes: .one, holdings: givenPlugins)
  }

  open override func setUp(_ stage: Stage) throws {
    try super.setUp(stage)
    guard let module else { return }
    replicas = try ReplicaGroup.make(module, stage, on: plan?.devices ?? [], strategy: "dp")
  }
}
