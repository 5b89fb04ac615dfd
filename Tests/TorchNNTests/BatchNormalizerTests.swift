import Testing
import Torch
import TorchNN

@Suite("BatchNorm whose batches something else normalizes")
struct BatchNormalizerTests {
  private let layer = BatchNorm1d(2)
  private let input = Tensor([Float(1), 2, 3, 4], shape: [2, 2])

  @Test("the output is the normalizer's, and the running statistics move towards its mean and variance")
  func training() throws {
    layer.normalizer = { layer, input in
      BatchNorm.NormalizedBatch(
        output: input * 10, mean: Tensor([1.0, -1]), variance: Tensor([3.0, 2]))
    }
    #expect(try layer(input).array(as: Float.self) == [10, 20, 30, 40])
    #expect(try layer.runningMean?.array(as: Float.self) == [0.1, -0.1])
    let variances = try #require(try layer.runningVar?.array(as: Float.self))
    #expect(abs(variances[0] - 1.2) < 1e-6 && abs(variances[1] - 1.1) < 1e-6)
    #expect(try layer.numBatchesTracked?.scalar() == 1)
    let cumulative = BatchNorm1d(2, momentum: nil)
    cumulative.normalizer = layer.normalizer
    _ = cumulative(input)
    #expect(try cumulative.runningMean?.array(as: Float.self) == [1, -1])
  }

  @Test("evaluation, and layers without it, do not ask it")
  func evaluation() throws {
    var calls = 0
    layer.normalizer = { _, input in
      calls += 1
      return BatchNorm.NormalizedBatch(output: input, mean: .zeros([2]), variance: .ones([2]))
    }
    layer.eval()
    _ = layer(input)
    let untracked = BatchNorm1d(2, trackRunningStats: false)
    untracked.normalizer = layer.normalizer
    untracked.eval()
    _ = untracked(input)
    #expect(calls == 0)
    untracked.train()
    _ = untracked(input)
    #expect(calls == 1)
    layer.normalizer = nil
    layer.train()
    _ = layer(input)
    #expect(calls == 1)
  }

  @Test("a batch that could not be normalized is not counted")
  func failure() throws {
    layer.normalizer = { _, input in
      let nothing = Tensor.zeros([2]) + Tensor.zeros([3])
      return BatchNorm.NormalizedBatch(output: nothing, mean: nothing, variance: nothing)
    }
    #expect(throws: TorchError.self) { try withErrorScope { layer(input) } }
    #expect(try layer.numBatchesTracked?.scalar() == 0)
    #expect(try layer.runningMean?.array(as: Float.self) == [0, 0])
    let wrong = try #require(throws: TorchError.self) { try withErrorScope { layer(.zeros([2])) } }
    #expect(wrong.message.hasPrefix("expected an input [N, C]"))
  }

  @Test("the walk over a module finds the same with a normalizer as without")
  func walk() {
    let before = layer.stateDictionary().keys
    layer.normalizer = { _, input in BatchNorm.NormalizedBatch(output: input, mean: input, variance: input) }
    #expect(layer.stateDictionary().keys == before)
    #expect(layer.parameters().count == 2)
  }
}
