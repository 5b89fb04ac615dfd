import OrderedCollections
import Testing
import Torch
import TorchNN

@Suite("Layers beyond the reference cases")
struct LayerBehaviourTests {
  @Test("without momentum the running statistics are means over all batches")
  func cumulativeBatchNorm() throws {
    // torch.nn.BatchNorm1d(2, momentum=None) on the same two batches.
    let layer = BatchNorm1d(2, momentum: nil)
    _ = layer(Tensor([Float(1), 2, 3, 6], shape: [2, 2]))
    _ = layer(Tensor([Float(0), 1, 2, 1], shape: [2, 2]))
    #expect(try layer.runningMean?.array(as: Float.self) == [1.5, 2.5])
    #expect(try layer.runningVar?.array(as: Float.self) == [2, 4])
    #expect(try layer.numBatchesTracked?.array(as: Int.self) == [2])
  }

  @Test("evaluation leaves the running statistics alone; without them the batch's are used")
  func batchNormModes() throws {
    let layer = BatchNorm1d(1)
    layer.eval()
    _ = layer(Tensor([Float(1), 3], shape: [2, 1]))
    #expect(try layer.numBatchesTracked?.scalar() == 0)
    #expect(try layer.runningMean?.scalar() == 0)
    let free = BatchNorm1d(1, affine: false, trackRunningStats: false)
    free.eval()
    #expect(free.stateDictionary().isEmpty)
    let output = try free(Tensor([Float(1), 3], shape: [2, 1])).array(as: Float.self)
    #expect(abs(output[0] + 1) < 1e-4 && abs(output[1] - 1) < 1e-4)
  }

  @Test("BatchNorm refuses inputs of other dimensions and batches of one value")
  func batchNormInputs() throws {
    let wrong = try #require(throws: TorchError.self) { try withErrorScope { BatchNorm2d(3)(.zeros([2, 3])) } }
    #expect(wrong.message == "expected an input [N, C, H, W], found 2 dimensions")
    #expect(wrong.operation == "BatchNorm2d")
    let single = try #require(throws: TorchError.self) { try withErrorScope { BatchNorm1d(3)(.zeros([1, 3])) } }
    #expect(single.message.hasPrefix("a batch must have more than one value per channel"))
  }

  @Test("GroupNorm and Conv1d agree with PyTorch")
  func small() throws {
    // torch.nn.GroupNorm(2, 4)(torch.arange(8.).reshape(1, 4, 2))
    let normalized = GroupNorm(2, 4)(Tensor.arange(8).to(.float32).reshaped([1, 4, 2]))
    let expected: [Float] = [
      -1.341635466, -0.447211862, 0.447211742, 1.341635346, -1.341635227, -0.447211623, 0.447211981, 1.341635585,
    ]
    for (value, reference) in zip(try normalized.array(as: Float.self), expected) {
      #expect(abs(value - reference) < 1e-5)
    }
    let convolution = Conv1d(1, 1, kernelSize: 2, padding: 1)
    try convolution.load(["weight": Tensor([Float(1), 2], shape: [1, 1, 2]), "bias": Tensor([Float(0.5)])])
    let output = convolution(Tensor([Float(1), 2, 3], shape: [1, 1, 3]))
    #expect(try output.array(as: Float.self) == [2.5, 5.5, 8.5, 3.5])
  }

  @Test("groups that do not divide the channels are refused")
  func groups() throws {
    let error = try #require(throws: TorchError.self) {
      try withErrorScope { Conv2d(3, 4, kernelSize: 3, groups: 2).weight }
    }
    #expect(error.message == "groups 2 must divide inChannels 3 and outChannels 4")
  }

  @Test("Flatten, Identity and Dropout in evaluation keep every element")
  func passThrough() {
    let input = Tensor.randn([2, 3, 4])
    #expect(Flatten()(input).shape == [2, 12])
    #expect(Flatten(from: 0, to: 1)(input).shape == [6, 4])
    #expect(Identity()(input) === input)
    let dropout = Dropout(0.9)
    dropout.eval()
    #expect(dropout(input).equals(input))
  }

  @Test("a shape that does not fit a layer is an error with operation and shapes")
  func shapes() throws {
    let error = try #require(throws: TorchError.self) { try withErrorScope { Linear(64, 10)(.zeros([2, 63])) } }
    #expect(error.operation == "linear")
    #expect(error.arguments.contains { $0.contains("[2, 63]") })
    #expect(error.arguments.contains { $0.contains("[10, 64]") })
  }

  @Test("a padding row gets no gradient and starts as zeros")
  func paddingRow() throws {
    let layer = Embedding(3, 2, paddingIndex: -1)
    #expect(try layer.weight[2].array(as: Float.self) == [0, 0])
    layer(Tensor([0, 2])).sum().backward()
    #expect(try layer.weight.gradient?.array(as: Float.self) == [1, 1, 0, 0, 0, 0])
  }
}
