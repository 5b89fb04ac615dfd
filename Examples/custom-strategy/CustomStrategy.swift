import ArgumentParser
import Stratagem
import StratagemCLI

/// `custom-strategy fit --strategy averaged_ddp --devices 2`: three ways to bring a strategy of one's own.
@main
struct CustomStrategy: TrainingCommand {
  static let summary = "Classifies points in the plane with strategies of its own: averaged_ddp, timed, bf16_ddp."
  static let defaults = TrainingDefaults(
    batchSize: 32, epochs: 5, optimizer: .sgd, learningRate: 0.1, momentum: 0.9, monitor: .highest("val/accuracy"))

  static func prepare() throws {
    let registry = StrategyRegistry.shared
    try registry.register("averaged_ddp", summary: "ddp with a wrapper of its own") { AveragedDDPStrategy() }
    try registry.register("timed", summary: "one process that tells how long its steps take") { TimedStrategy() }
    try registry.register("bf16_ddp", summary: "averaged_ddp made with plugin objects") {
      AveragedDDPStrategy(accelerator: CPUAccelerator(threads: 1), precision: LoudPrecision())
    }
  }

  static func makeData(_ settings: DataSettings) throws -> DataModule<PointBatch> { PointBatch.data(settings) }

  static func makeModel(_ optimizer: OptimizerSettings) -> PointClassifier { PointClassifier(optimizer) }
}
