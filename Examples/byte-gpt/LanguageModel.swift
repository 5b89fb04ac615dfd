import Glibc
import Stratagem
import StratagemCLI
import Torch
import TorchNN

/// The transformer together with how it is trained.
final class LanguageModel: LightningModule<TextBatch> {
  static let contextLength = 128

  struct HyperParameters: ModelHyperParameters {
    /// Features of a position; a multiple of `heads`.
    var width = 256
    var heads = 4
    var layers = 4
  }

  let transformer: Transformer
  let lmHead: Linear
  let optimizer: OptimizerSettings
  let hyperParameters: HyperParameters

  init(optimizer: OptimizerSettings, _ hyperParameters: HyperParameters = HyperParameters()) {
    transformer = Transformer(
      width: hyperParameters.width, heads: hyperParameters.heads, layers: hyperParameters.layers,
      contextLength: Self.contextLength)
    lmHead = Linear(hyperParameters.width, 256, bias: false)
    self.optimizer = optimizer
    self.hyperParameters = hyperParameters
    super.init()
    initialize(layers: hyperParameters.layers)
  }

  /// Draws weights as GPT-2 does: deviation 0.02, less for those that add to the residual stream, biases 0.
  private func initialize(layers: Int) {
    let residual = Initializer.normal(deviation: 0.02 / Double(2 * layers).squareRoot())
    for (name, parameter) in namedParameters() {
      if name.hasSuffix("c_proj.weight") {
        residual.fill(parameter.tensor)
      } else if name.hasSuffix(".bias") {
        Initializer.zeros.fill(parameter.tensor)
      } else if parameter.tensor.ndim == 2 {
        Initializer.normal(deviation: 0.02).fill(parameter.tensor)
      }
    }
  }

  /// Maps bytes [batch, length] to logits of the byte that follows each [batch, length, 256].
  func callAsFunction(_ bytes: Tensor) -> Tensor { lmHead(transformer(bytes)) }

  /// The mean cross entropy over all positions.
  private func loss(_ logits: Tensor, _ next: Tensor) -> Tensor {
    Functional.crossEntropy(logits.flattened(from: 0, to: 1), next.flattened())
  }

  override func trainingStep(_ batch: TextBatch, at index: Int) throws -> StepOutput {
    let loss = loss(self(batch.bytes), batch.next)
    log("train/loss", loss, on: .step, progressBar: true)
    return .loss(loss)
  }

  override func validationStep(_ batch: TextBatch, at index: Int) throws -> StepOutput {
    let logits = self(batch.bytes)
    let loss = loss(logits, batch.next)
    let correct = logits.argmax(dim: 2) .== batch.next
    log("val/loss", loss, progressBar: true)
    log("val/bits_per_byte", loss / Scalar(M_LN2))
    log("val/accuracy", correct.to(.float64).mean())
    return .skipped
  }

  /// The byte that most likely follows each piece of text.
  override func predictStep(_ batch: TextBatch, at index: Int) throws -> Tensor? {
    self(batch.bytes)[.all, -1].argmax(dim: 1)
  }

  override func configureOptimizers() throws -> OptimizerPlan { try optimizer.plan(for: self) }

  override var hyperParameterArchive: ArchiveDictionary { optimizer.archive(with: hyperParameters) }
}
