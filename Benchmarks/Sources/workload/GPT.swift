import Stratagem
import Torch
import TorchNN

/// The transformer over bytes of workloads W3 and W5.
final class GPT: LightningModule<[Tensor]> {
  final class Block: Layer<Tensor, Tensor> {
    let norm1: LayerNorm
    let attention: Linear
    let projection: Linear
    let norm2: LayerNorm
    let widen: Linear
    let narrow: Linear
    private let heads: Int

    init(width: Int, heads: Int) {
      norm1 = LayerNorm(width)
      attention = Linear(width, 3 * width)
      projection = Linear(width, width)
      norm2 = LayerNorm(width)
      widen = Linear(width, 4 * width)
      narrow = Linear(4 * width, width)
      self.heads = heads
    }

    override func forward(_ input: Tensor) -> Tensor {
      let (batch, length, width) = (input.size(0), input.size(1), input.size(2))
      let parts = attention(norm1(input)).chunks(3, dim: 2).map {
        $0.reshaped(batch, length, heads, width / heads).transposed(1, 2)
      }
      let mixed = Aten.scaled_dot_product_attention(parts[0], key: parts[1], value: parts[2], is_causal: true)
      let attended = input + projection(mixed.transposed(1, 2).reshaped(batch, length, width))
      return attended + narrow(Functional.gelu(widen(norm2(attended)), approximation: .tanh))
    }
  }

  let tokens: Embedding
  let positions: Embedding
  let blocks: [Block]
  let norm: LayerNorm
  let head: Linear

  /// W3: 4 layers of 256 features, 4 heads, 128 positions; W5: 7 of 768, 12 heads, 64 positions.
  convenience init(isLarge: Bool) {
    self.init(
      width: isLarge ? 768 : 256, layers: isLarge ? 7 : 4, heads: isLarge ? 12 : 4, length: isLarge ? 64 : 128)
  }

  init(width: Int, layers: Int, heads: Int, length: Int) {
    tokens = Embedding(256, width)
    positions = Embedding(length, width)
    blocks = (0..<layers).map { _ in Block(width: width, heads: heads) }
    norm = LayerNorm(width)
    head = Linear(width, 256, bias: false)
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let bytes = batch[0]
    let features = tokens(bytes) + positions(Tensor.arange(bytes.size(1)))
    let logits = head(norm(blocks.reduce(features) { $1($0) }))
    return .loss(Functional.crossEntropy(logits.flattened(from: 0, to: 1), batch[1].flattened()))
  }

  override func configureOptimizers() throws -> OptimizerPlan { OptimizerPlan(AdamW(self, learningRate: 3e-4)) }
}
