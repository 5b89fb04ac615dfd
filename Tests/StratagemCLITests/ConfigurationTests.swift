import Foundation
import Stratagem
import Testing
import Torch
import TorchDistributed

@testable import StratagemCLI

@Suite("Configurations from files and the command line")
struct ConfigurationTests {
  private func load(_ files: [String], _ arguments: [String] = []) throws -> LoadedConfiguration<TunableCommand> {
    try Configured.load(TunableCommand.self, files: files, arguments)
  }

  @Test("later files win over earlier ones, key by key, and the command line over all")
  func layers() throws {
    let base = """
      # The base.
      seed: 3
      trainer:
        devices: 2
        accumulate: 4
        clipNorm: 1e-1
      optimizer: {name: sgd, lr: 0.5}
      """
    let cluster = "trainer: {devices: [0, 2], limitTrainBatches: 25%}\n"
    let two = try load([base, cluster]).values
    #expect(two.seed == 3)
    #expect(two.trainer.devices.value == .indices([0, 2]))
    #expect(two.trainer.accumulate == 4)
    #expect(two.trainer.clipNorm == 0.1)
    #expect(two.trainer.limitTrainBatches.value == .fraction(0.25))
    #expect(two.optimizerSettings.learningRate == 0.5)
    let swapped = try load([cluster, base]).values
    #expect(swapped.trainer.devices.value == .text("2"))
    let line = try load([base, cluster], ["--devices", "1", "--trainer.accumulate=7", "--lr", "2"]).values
    #expect(line.trainer.devices.value == .text("1"))
    #expect(line.trainer.accumulate == 7)
    #expect(line.optimizerSettings.learningRate == 2)
    #expect(line.optimizerSettings.kind == .sgd)
  }

  @Test("flags and keys on the command line count in their order")
  func order() throws {
    func devices(_ arguments: [String]) throws -> DeviceRequest { try load([], arguments).values.trainer.devices.value }
    #expect(try devices(["--devices", "1", "--trainer.devices=2"]) == .text("2"))
    #expect(try devices(["--trainer.devices=2", "--devices", "1"]) == .text("1"))
    #expect(try devices(["--trainer.devices", "2", "--devices=1", "--trainer.devices=3"]) == .text("3"))
  }

  @Test("hyper-parameters are read over their defaults, whatever their types")
  func hyperParameters() throws {
    let file = """
      model:
        dropout: 0
        name: "7"
        activation: gelu
        sizes: [1, 2, 3]
        block: {stride: 2}
        labels: {second: 2}
        residual: yes
      """
    var expected = TunableCommand.HyperParameters()
    #expect(try load([]).values.model == expected)
    expected.dropout = 0
    expected.name = "7"
    expected.activation = .gelu
    expected.sizes = [1, 2, 3]
    expected.block.stride = 2
    expected.labels["second"] = 2
    expected.residual = true
    expected.hidden = 256
    expected.block.kernel = 5
    let values = try load(
      [file], ["--model.hidden=256", "--model.block.kernel", "5", "--model.residual", "--model.small=7"]
    ).values
    #expect(values.model == expected)
    #expect(try load([], ["--model", "{hidden: 9}"]).values.model.hidden == 9)
  }

  @Test("a name stands for the section that it names")
  func shorthand() throws {
    let values = try load(["optimizer: sgd\ntrainer: {strategy: ddp}\n"]).values
    #expect(values.optimizer.name.value == .sgd)
    #expect(values.trainer.strategy.name == "ddp")
    #expect(try load(["trainer:\nmodel:\n"]).values.model == TunableCommand.HyperParameters())
  }

  @Test("what is printed reads back as the same settings")
  func roundTrip() throws {
    let file = """
      seed: 18446744073709551615
      weights: "with: colon # and hash"
      trainer: {strategy: {name: ddp, staticGraph: true}, until: 90s, devices: [0, 1], precision: 64}
      model: {name: "true", labels: {"odd key: x": 3, "": 4}, sizes: [], dropout: 1e-7}
      data: {path: "a\\tb\\\\ \\u00e9\\u0001 'q'"}
      """
    for arguments in [[], ["--trainer.limitTrainBatches=0.5", "--model.name", "null "]] {
      let loaded = try load([file], arguments)
      let again = try load([loaded.yaml])
      #expect(again.root == loaded.root)
      #expect(again.values.model == loaded.values.model)
      #expect(again.values.weights == "with: colon # and hash")
      #expect(again.values.data.path == "a\tb\\ é\u{1} 'q'")
      #expect(again.values.trainer.strategy.options["staticGraph"] == .plain("true"))
      // As the processes that this one starts get it.
      #expect(try load([loaded.root.description]).root == loaded.root)
    }
  }

  @Test("what is printed, with the places of what is no default")
  func text() throws {
    let loaded = try Configured.load(
      ProbeCommand.self, files: ["trainer:\n  devices: 2\n"], ["--lr", "0.5", "--trainer.strategy=ddp"])
    let text = loaded.yaml
    #expect(text.hasPrefix("seed: 0\nweights: null\nresume: null\ntrainer:\n  strategy: ddp  # --trainer.strategy\n"))
    #expect(text.contains("\n  devices: 2  # a.yaml:2\n"))
    #expect(text.contains("\n  epochs: 7\n  maxSteps: null\n"))
    #expect(text.contains("\noptimizer:\n  name: sgd\n  lr: 0.5  # --lr\n  momentum: 0.5\n  weightDecay: 0.0\n"))
    #expect(text.hasSuffix("\nmodel: {}\n"))
  }

  @Test("every argument of a trainer can be set")
  func reach() throws {
    let keys = try #require(try LoadedConfiguration<ProbeCommand>.defaults().map?["trainer"]?.map?.keys)
    let needed = [
      "strategy", "accelerator", "devices", "numNodes", "precision", "until", "maxSteps", "maxTime", "minEpochs",
      "minSteps", "accumulate", "clipNorm", "clipValue", "limitTrainBatches", "limitValidationBatches",
      "limitTestBatches", "limitPredictBatches", "overfitBatches", "fastDevRun", "validationInterval",
      "validateEveryEpochs", "sanityBatches", "logInterval", "reloadLoadersEveryEpochs", "useDistributedSampler",
      "syncBatchNorm", "deterministic", "benchmark", "detectAnomaly", "inferenceMode", "prepareDataPerNode",
      "nonFiniteLoss", "stateDictType", "output", "progress",
    ]
    #expect(Set(needed).subtracting(keys) == [])
  }

  @Test("the arguments of a trainer reach it")
  func trainer() throws {
    let file = """
      trainer:
        maxTime: 30m
        minSteps: 4
        overfitBatches: 2
        validationInterval: 5
        validateEveryEpochs: null
        deterministic: warn
        detectAnomaly: true
        logInterval: 10
        accelerator: cpu
      """
    let values = try load([file]).values.trainer
    let settings = try values.makeTrainer(callbacks: [], loggers: [], output: "out").settings
    #expect(settings.maxTime == .seconds(1800))
    #expect(settings.minSteps == 4)
    #expect(settings.overfitBatches == .batches(2))
    #expect(settings.validationInterval == .batches(5))
    #expect(settings.validateEveryEpochs == nil)
    #expect(settings.determinism == .warn)
    #expect(settings.detectAnomaly)
    #expect(settings.logInterval == 10)
    #expect(try load([], ["--trainer.fastDevRun"]).values.trainer.fastDevRun.value == 1)
    #expect(try load([], ["--trainer.fastDevRun", "3"]).values.trainer.fastDevRun.value == 3)
    #expect(try load([file]).yaml.contains("\n  maxTime: 30m  # a.yaml:2\n"))
  }

  @Test("the options of a strategy make the strategy")
  func strategyOptions() throws {
    let file = "trainer: {strategy: {name: ddp, findUnusedParameters: true, bucketMegabytes: 1}}\n"
    let strategy = try load([file], ["--trainer.strategy.staticGraph"]).values.trainer.strategy
    let made = try #require(try strategy.resolve() as? DDPStrategy)
    #expect(made.reduction.findUnusedParameters && made.reduction.staticGraph)
    #expect(made.reduction.bucketByteCount == 1 << 20)
    // Another name does not inherit them, the same one does.
    #expect(try load([file], ["--strategy", "single_device"]).values.trainer.strategy.options.isEmpty)
    #expect(try load([file], ["--strategy", "ddp"]).values.trainer.strategy.options.count == 2)
    let preset = try load(["trainer: {strategy: {name: ddp_find_unused_parameters_true, timeout: 60}}"])
    let other = try #require(try preset.values.trainer.strategy.resolve() as? DDPStrategy)
    #expect(other.reduction.findUnusedParameters)
    let spawned = try load(["trainer: {strategy: {name: ddp_spawn, timeout: 60}}"])
    #expect(try #require(try spawned.values.trainer.strategy.resolve() as? DDPStrategy).startMethod == .spawn)
  }

  @Test("the options of horovod")
  func horovodOptions() throws {
    let file =
      "trainer: {strategy: {name: horovod, operation: adasum, compression: bf16, fusionThreshold: 0, "
      + "learningRateScaling: linear, timeout: 60}}\n"
    let made = try #require(try load([file]).values.trainer.strategy.resolve() as? HorovodStrategy)
    #expect(made.reduction.operation == .adasum && made.reduction.compression == .bf16)
    #expect(made.reduction.fusionThreshold == 0 && made.learningRateScaling == .linear && made.timeout == 60)
    let wrong = "trainer: {strategy: {name: horovod, compresion: fp16, gradientPredivideFactor: 0}}\n"
    let error = #expect(throws: ConfigurationError.self) { try load([wrong]).values.trainer.strategy.resolve() }
    #expect(
      error?.description.contains("did you mean 'trainer.strategy.compression'?") == true, "\(error?.description ?? "")"
    )
  }

  @Test("the settings of an optimizer and of a model become those of a checkpoint")
  func archive() {
    let optimizer = OptimizerSettings(.sgd, learningRate: 0.5, momentum: 0.9)
    let archive = optimizer.archive(with: TunableCommand.HyperParameters())
    #expect(archive["lr"]?.doubleValue == 0.5)
    #expect(archive["hidden"]?.intValue == 128)
    #expect(archive["activation"]?.stringValue == "relu")
    #expect(archive["block"]?["kernel"]?.intValue == 3)
    #expect(optimizer.archive(with: NoHyperParameters()).count == optimizer.archive.count)
  }
}
