import Glibc
import Stratagem

/// A model with more state than a process may have memory: `layers` residual layers of 1024 × 1024 weights.
struct LargeModelProbe {
  private final class LargeModel: LightningModule<[Tensor]> {
    final class Block: Layer<Tensor, Tensor> {
      let linear = Linear(1024, 1024)

      override func forward(_ input: Tensor) -> Tensor { input + linear(input).tanh() * 0.1 }
    }

    let blocks: [Block]

    init(_ count: Int) { blocks = (0..<count).map { _ in Block() } }

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      let loss = blocks.reduce(batch[0]) { $1($0) }.square().mean()
      log("train/loss", loss)
      return .loss(loss)
    }

    override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      log("val/loss", blocks.reduce(batch[0]) { $1($0) }.square().mean())
      return .skipped
    }

    override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 1e-3)) }
  }

  let options: ProbeOptions

  func run() throws {
    TorchRuntime.manualSeed(4)
    let trainer = try Trainer(
      strategy: options["strategy"] ?? "deepspeed", accelerator: "cpu", devices: .count(options.devices),
      until: .steps(options.int("steps", 3)), accumulate: options.int("accumulate", 1),
      clipNorm: options.double("clip"), validationInterval: .all, logInterval: 1,
      checkpointing: options.has("save"),
      output: options.folder, progress: .silent)
    let count = options.int("layers", 48)
    let model = try withDeferredInitialization { LargeModel(count) }
    let samples = 24 * options.int("accumulate", 1)
    let data = Functional.oneHot(Tensor((0..<samples).map { Int64($0 * 31 % 1024) }), classCount: 1024).to(.float32)
    try trainer.fit(
      model, train: DataLoader(TensorDataset(data), batchSize: 8 / options.devices),
      validation: DataLoader(
        TensorDataset(data.narrowed(dim: 0, start: 0, length: 16)), batchSize: 8 / options.devices),
      resumeFrom: options["resume"])
    print("rank \(trainer.rank): peak \(Self.peak)")
  }

  /// The most memory that the process had, in bytes.
  private static var peak: Int {
    guard let file = fopen("/proc/self/status", "r") else { return 0 }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
      let text = String(decoding: line.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      if text.hasPrefix("VmHWM:") { return (Int(text.filter(\.isNumber)) ?? 0) << 10 }
    }
    return 0
  }
}
