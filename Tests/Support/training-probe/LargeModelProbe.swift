import Glibc
import Stratagem

/// A model with more state than a process may have memory: `layers` residual layers of 1024 × 1024 weights, or of another
/// `width`. With `skip` the second one is left out in every other step.
struct LargeModelProbe {
  private final class LargeModel: LightningModule<[Tensor]> {
    final class Block: Layer<Tensor, Tensor> {
      let linear: Linear

      init(_ width: Int) { linear = Linear(width, width) }

      override func forward(_ input: Tensor) -> Tensor { input + linear(input).tanh() * 0.1 }
    }

    let blocks: [Block]

    private let skips: Bool

    init(_ count: Int, width: Int, skips: Bool) {
      blocks = (0..<count).map { _ in Block(width) }
      self.skips = skips
    }

    private func callAsFunction(_ input: Tensor, at index: Int) -> Tensor {
      let used = blocks.enumerated().filter { !(skips && $0.offset == 1 && index % 2 == 1) }
      return used.reduce(input) { $1.element($0) }
    }

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      let loss = self(batch[0], at: index).square().mean()
      log("train/loss", loss)
      return .loss(loss)
    }

    override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      log("val/loss", self(batch[0], at: 0).square().mean())
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
    let (count, width) = (options.int("layers", 48), options.int("width", 1024))
    let model = try withDeferredInitialization { LargeModel(count, width: width, skips: options.has("skip")) }
    let samples = 24 * options.int("accumulate", 1)
    let data = Functional.oneHot(Tensor((0..<samples).map { Int64($0 * 31 % width) }), classCount: width).to(.float32)
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
