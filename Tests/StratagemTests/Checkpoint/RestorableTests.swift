import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

@testable import Stratagem

@Suite("What a checkpoint keeps of module and data")
struct RestorableTests {
  final class Net: LightningModule<[Tensor]>, Restorable {
    struct HyperParameters: HyperParameterSet {
      var hidden = 3
      var learningRate = 0.1
    }

    let hyperParameters: HyperParameters
    let fc1: Linear
    let fc2: Linear

    init(_ hyperParameters: HyperParameters = .init()) {
      self.hyperParameters = hyperParameters
      fc1 = Linear(4, hyperParameters.hidden)
      fc2 = Linear(hyperParameters.hidden, 3)
    }

    func callAsFunction(_ input: Tensor) -> Tensor { fc2(fc1(input).relu()) }

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      .loss(self(batch[0]).square().mean())
    }

    override func configureOptimizers() throws -> OptimizerPlan {
      OptimizerPlan(SGD(self, learningRate: hyperParameters.learningRate, momentum: 0.9))
    }
  }

  /// Two optimizers, which the module steps itself.
  final class Pair: LightningModule<[Tensor]> {
    let first = Linear(4, 1)
    let second = Linear(4, 1)
    override var automaticOptimization: Bool { false }

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      for (layer, optimizer) in zip([first, second], optimizers) {
        optimizer.zeroGradients()
        try manualBackward(layer(batch[0]).square().mean())
        try optimizer.step()
      }
      return .skipped
    }

    override func configureOptimizers() throws -> OptimizerPlan {
      let optimizers: [Optimizer] = [AdamW(first, learningRate: 0.1), SGD(second, learningRate: 0.1, momentum: 0.9)]
      return OptimizerPlan(
        optimizers,
        schedules: optimizers.map { OptimizerPlan.Schedule(StepLR($0, stepSize: 1, gamma: 0.5), every: .epoch) })
    }
  }

  final class CountingData: DataModule<[Tensor]> {
    var setups = 0
    private(set) var loaded: Int?
    override var hyperParameterArchive: ArchiveDictionary { ["batch_size": 4] }
    override func setup(_ stage: Stage) { setups += 1 }
    override func state() -> ArchiveDictionary { ["setups": .int(setups)] }
    override func load(_ state: ArchiveDictionary) { loaded = state["setups"]?.intValue }
    override func trainingLoader() -> DataLoader<[Tensor]>? {
      DataLoader(TensorDataset(Tensor((0..<64).map { Float($0 % 7) }, shape: [16, 4])), batchSize: 4)
    }
  }

  private func trainer(_ folder: LoggingFolder, epochs: Int) throws -> Trainer {
    try Trainer(
      strategy: "single_device", accelerator: "cpu", devices: 1, until: .epochs(epochs), output: folder.path,
      progress: .silent)
  }

  @Test("Made again with its hyper-parameters and weights")
  func restored() throws {
    let folder = try LoggingFolder()
    let net = Net(.init(hidden: 5, learningRate: 0.5))
    let trainer = try trainer(folder, epochs: 1)
    try trainer.fit(net, CountingData())
    let path = folder.path + "/checkpoints/last.ckpt"
    let again = try Net.restore(from: path)
    #expect(again.hyperParameters.hidden == 5 && again.hyperParameters.learningRate == 0.5)
    #expect(try again.fc1.weight.array(as: Float.self) == net.fc1.weight.array(as: Float.self))
    let changed = try Net.restore(from: path) { $0.learningRate = 2 }
    #expect(changed.hyperParameters.learningRate == 2)
    #expect(try folder.text("hparams.yaml") == "hidden: 5\nlearning_rate: 0.5\n")
    #expect(throws: CheckpointError.self) { try Net.restore(from: path) { $0.hidden = 6 } }
  }

  @Test("Made from a file of Lightning's, with defaults for what it does not say")
  func fromLightning() throws {
    let path = URL(filePath: #filePath).deletingLastPathComponent().appending(
      path: "../../Reference/Data/lightning-2.6-step.ckpt"
    ).path
    let net = try Net.restore(from: path) { $0.hidden = 8 }
    #expect(net.hyperParameters.learningRate == 0.01)
    #expect(net.fc1.weight.shape == [8, 4])
  }

  @Test("The state of the data, and its settings")
  func dataModule() throws {
    let folder = try LoggingFolder()
    let data = CountingData()
    try trainer(folder, epochs: 1).fit(Net(), data)
    let path = folder.path + "/checkpoints/last.ckpt"
    let checkpoint = try FileCheckpointIO().load(from: path)
    #expect(checkpoint["CountingData"]?["setups"]?.intValue == 1)
    #expect(checkpoint["datamodule_hyper_parameters"]?["batch_size"]?.intValue == 4)
    let other = CountingData()
    try trainer(folder, epochs: 2).fit(Net(), other, resumeFrom: path)
    #expect(other.loaded == 1)
  }

  @Test("Several optimizers and schedules, to the bit")
  func severalOptimizers() throws {
    TorchRuntime.manualSeed(1)
    let initial = Pair().stateDictionary().mapValues { $0.clone() }
    func fit(_ epochs: Int, _ folder: LoggingFolder, from path: String? = nil) throws -> Pair {
      let pair = Pair()
      try pair.load(initial)
      try trainer(folder, epochs: epochs).fit(pair, CountingData(), resumeFrom: path)
      return pair
    }
    let folders = try (0..<3).map { _ in try LoggingFolder() }
    let whole = try fit(3, folders[0])
    _ = try fit(1, folders[1])
    let path = folders[1].path + "/checkpoints/last.ckpt"
    let checkpoint = try FileCheckpointIO().load(from: path)
    #expect(checkpoint["optimizer_states"]?.listValue?.count == 2)
    #expect(checkpoint["lr_schedulers"]?.listValue?.count == 2)
    let rest = try fit(3, folders[2], from: path)
    for (name, tensor) in whole.stateDictionary() {
      #expect(try rest.stateDictionary()[name]?.array(as: Float.self) == tensor.array(as: Float.self), "\(name)")
    }
    let error = #expect(throws: CheckpointError.self) {
      try trainer(folders[2], epochs: 3).fit(Net(), CountingData(), resumeFrom: path)
    }
    #expect(error?.description.contains("another model") == true)
  }
}
