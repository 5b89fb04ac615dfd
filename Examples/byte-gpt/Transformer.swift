import Torch
import TorchNN

/// Embeds bytes and their positions and runs the blocks; the names of its weights are nanoGPT's.
final class Transformer: Layer<Tensor, Tensor> {
  let tokenEmbedding: Embedding
  let positionEmbedding: Embedding
  let blocks: [Block]
  let norm: LayerNorm

  init(width: Int, heads: Int, layers: Int, contextLength: Int) {
    tokenEmbedding = Embedding(256, width)
    positionEmbedding = Embedding(contextLength, width)
    blocks = (0..<layers).map { _ in Block(width: width, heads: heads) }
    norm = LayerNorm(width)
  }

  /// Maps bytes [batch, length] to features [batch, length, width].
  override func forward(_ bytes: Tensor) -> Tensor {
    let positions = Tensor.arange(bytes.size(1)).to(bytes.device)
    let features = tokenEmbedding(bytes) + positionEmbedding(positions)
    return norm(blocks.reduce(features) { features, block in block(features) })
  }

  override func stateKey(for property: String) -> String {
    ["tokenEmbedding": "wte", "positionEmbedding": "wpe", "blocks": "h", "norm": "ln_f"][property] ?? property
  }
}

/// Attention and a multilayer perceptron, each normalized first and added to what came in.
final class Block: Layer<Tensor, Tensor> {
  let norm1: LayerNorm
  let attention: Attention
  let norm2: LayerNorm
  let mlp: Perceptron

  init(width: Int, heads: Int) {
    norm1 = LayerNorm(width)
    attention = Attention(width: width, heads: heads)
    norm2 = LayerNorm(width)
    mlp = Perceptron(width: width)
  }

  override func forward(_ input: Tensor) -> Tensor {
    let attended = input + attention(norm1(input))
    return attended + mlp(norm2(attended))
  }

  override func stateKey(for property: String) -> String {
    ["norm1": "ln_1", "attention": "attn", "norm2": "ln_2"][property] ?? property
  }
}

/// Lets each position look at itself and those before it.
final class Attention: Layer<Tensor, Tensor> {
  let cAttn: Linear
  let cProj: Linear
  private let heads: Int

  init(width: Int, heads: Int) {
    cAttn = Linear(width, 3 * width)
    cProj = Linear(width, width)
    self.heads = heads
  }

  override func forward(_ input: Tensor) -> Tensor {
    let (batch, length, width) = (input.size(0), input.size(1), input.size(2))
    // Query, key and value: [batch, heads, length, width / heads].
    let parts = cAttn(input).split(width, dim: 2).map {
      $0.reshaped(batch, length, heads, width / heads).transposed(1, 2)
    }
    let attended = Functional.scaledDotProductAttention(
      query: parts[0], key: parts[1], value: parts[2], isCausal: true)
    return cProj(attended.transposed(1, 2).reshaped(batch, length, width))
  }
}

/// Two linear layers, four times as wide in between.
final class Perceptron: Layer<Tensor, Tensor> {
  let cFc: Linear
  let cProj: Linear

  init(width: Int) {
    cFc = Linear(width, 4 * width)
    cProj = Linear(4 * width, width)
  }

  override func forward(_ input: Tensor) -> Tensor {
    cProj(Functional.gelu(cFc(input), approximation: .tanh))
  }
}
