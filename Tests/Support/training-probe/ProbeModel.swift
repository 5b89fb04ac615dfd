import Glibc
import Stratagem

/// A tiny classifier of four numbers into three classes that misbehaves on request.
class ProbeModel: LightningModule<[Tensor]> {
  let fc1 = Linear(4, 8)
  let dropout: Dropout
  let fc2 = Linear(8, 3)
  let options: ProbeOptions
  let recorder: HookRecorder

  init(_ options: ProbeOptions, _ recorder: HookRecorder) {
    self.options = options
    self.recorder = recorder
    dropout = Dropout(options.double("dropout", 0))
  }

  func callAsFunction(_ input: Tensor) -> Tensor { fc2(dropout(fc1(input).relu())) }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let loss = Functional.crossEntropy(self(batch[0]), batch[1])
    if options.has("slow") { usleep(20_000) }
    log("train/loss", loss, progressBar: true)
    log("train/sum", batch[0].sum(), on: [.step, .epoch])
    if isToFail(at: index), let answer = try fail(index, batch, loss) { return answer }
    return .loss(loss)
  }

  /// Does what `fault` asks for; nil when the step is to go on as usual.
  private func fail(_ index: Int, _ batch: [Tensor], _ loss: Tensor) throws -> StepOutput? {
    switch options["fault"] {
    case "throw": throw ProbeError(description: "the user's code fails at batch \(index)")
    case "kill": raise(SIGKILL)
    case "segv": UnsafeMutablePointer<Int>(bitPattern: 64)!.pointee = 1
    case "exit": exit(3)
    case "full-disk": limitFiles(to: 200)
    case "hang": while true { pause() }
    case "sleep": usleep(UInt32(options.double("seconds", 1) * 1e6))
    case "nan": return .loss(loss * Double.nan)
    case "nan-in-backward": return .loss(loss + (fc1.weight * 0).sqrt().sum() * 0)
    case "overflow": return .loss(loss * 1e36)
    case "shape": return .loss(misfit(batch[0]))
    case "vector": return .loss(self(batch[0]).sum(dim: 1))
    case "skip": return .skipped
    case "stop": trainer?.shouldStop = true
    case "extra-metric": log("extra", 1)
    case "late-metric": log(trainer?.rank == 1 ? "b" : "a", 1)
    case "other-metric": log("b", 1)
    default: break
    }
    return nil
  }

  override func validationStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let output = self(batch[0])
    if options.has("slow-validation") { usleep(20_000) }
    let correct = (output.argmax(dim: 1) .== batch[1]).sum()
    log("val/loss", Functional.crossEntropy(output, batch[1]))
    log("val/accuracy", Double(try correct.integer()) / Double(batch[1].count))
    if isToFail(at: index), options["fault"] == "throw-in-validation" {
      throw ProbeError(description: "the user's validation fails at batch \(index)")
    }
    if isToFail(at: index), options["fault"] == "extra-in-validation" { log("val/extra", 1) }
    return .skipped
  }

  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? {
    options.has("scalar-prediction") ? self(batch[0]).sum() : self(batch[0])
  }

  override func configureOptimizers() throws -> OptimizerPlan {
    let rate = options.double("lr", 0.1)
    let base: Optimizer =
      options["optimizer"] == "adamw"
      ? AdamW(self, learningRate: rate) : SGD(self, learningRate: rate, momentum: options.double("momentum", 0.9))
    let optimizer =
      options.has("zero")
      ? try ZeroRedundancyOptimizer(base, parametersAsBucketView: options["zero"] == "view") : base
    switch options["schedule"] {
    case "step": return OptimizerPlan(optimizer, schedule: StepLR(optimizer, stepSize: 1, gamma: 0.5))
    case "cosine":
      return OptimizerPlan(
        optimizer, schedule: CosineAnnealingLR(optimizer, maximumSteps: options.int("total", 20)), every: .step)
    case "plateau":
      return OptimizerPlan(optimizer, schedule: ReduceLROnPlateau(optimizer, patience: 0), monitor: "val/loss")
    default: return OptimizerPlan(optimizer)
    }
  }

  override var hyperParameterArchive: ArchiveDictionary { ["learning_rate": .double(options.double("lr", 0.1))] }

  /// Whether this is the batch of the epoch, the epoch and the rank to misbehave in.
  private func isToFail(at index: Int) -> Bool {
    guard let trainer, !trainer.isSanityChecking, options.has("fault") else { return false }
    let ranks = options["rank"]?.split(separator: ",").compactMap { Int($0) } ?? Array(0..<trainer.worldSize)
    return ranks.contains(trainer.rank) && index == options.int("at", 0)
      && trainer.progress.epoch == options.int("at-epoch", 0)
  }
}

extension ProbeModel {
  /// Lets this process write no file beyond so many bytes; what is written then fails.
  func limitFiles(to bytes: UInt) {
    var limit = rlimit(rlim_cur: bytes, rlim_max: bytes)
    setrlimit(__rlimit_resource_t(RLIMIT_FSIZE.rawValue), &limit)
  }

  /// A product whose shapes do not fit: [batch, 4] times [5, 3].
  func misfit(_ input: Tensor) -> Tensor {
    let weight = Tensor.ones([5, 3])
    return input.matmul(weight).mean()
  }
}
