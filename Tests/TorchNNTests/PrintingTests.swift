import Testing
import Torch
import TorchNN

@Suite("Printing")
struct PrintingTests {
  @Test("a model prints its structure")
  func structure() {
    let model = Sequential {
      Conv2d(1, 16, kernelSize: 3, padding: 1, bias: false)
      BatchNorm2d(16)
      ReLU()
      MaxPool2d(2)
      Flatten()
      Sequential {
        Linear(64, 10)
        Dropout(0.1)
      }
    }
    #expect(
      model.description == """
        Sequential(
          (0): Conv2d(1, 16, kernelSize: 3, stride: 1, padding: 1, bias: false)
          (1): BatchNorm2d(16, epsilon: 1e-05, momentum: 0.1, affine: true, trackRunningStats: true)
          (2): ReLU()
          (3): MaxPool2d(kernelSize: 2, stride: 2, padding: 0, dilation: 1, ceilMode: false)
          (4): Flatten(from: 1, to: -1)
          (5): Sequential(
            (0): Linear(inFeatures: 64, outFeatures: 10, bias: true)
            (1): Dropout(0.1)
          )
        )
        """)
  }

  @Test("a layer prints its settings")
  func settings() {
    let layers: [(Module, String)] = [
      (Linear(3, 2, bias: false), "Linear(inFeatures: 3, outFeatures: 2, bias: false)"),
      (
        Conv2d(2, 4, kernelSize: [2, 3], stride: [2, 1], padding: [0, 1], dilation: 2, groups: 2),
        "Conv2d(2, 4, kernelSize: [2, 3], stride: [2, 1], padding: [0, 1], dilation: 2, groups: 2)"
      ),
      (Conv1d(1, 2, kernelSize: 5), "Conv1d(1, 2, kernelSize: 5, stride: 1)"),
      (
        BatchNorm1d(2, momentum: nil, affine: false, trackRunningStats: false),
        "BatchNorm1d(2, epsilon: 1e-05, momentum: nil, affine: false, trackRunningStats: false)"
      ),
      (LayerNorm(8), "LayerNorm([8], epsilon: 1e-05, affine: true)"),
      (GroupNorm(2, 8), "GroupNorm(2, 8, epsilon: 1e-05, affine: true)"),
      (Embedding(10, 4, paddingIndex: -1), "Embedding(10, 4, paddingIndex: 9)"),
      (GELU(approximation: .tanh), "GELU(approximation: tanh)"),
      (LeakyReLU(0.2), "LeakyReLU(0.2)"),
      (Softmax(dim: 1), "Softmax(dim: 1)"),
      (LogSoftmax(dim: -1), "LogSoftmax(dim: -1)"),
      (AvgPool2d(3, stride: 2, padding: 1), "AvgPool2d(kernelSize: 3, stride: 2, padding: 1)"),
      (AdaptiveAvgPool2d([2, 3]), "AdaptiveAvgPool2d(outputSize: [2, 3])"),
      (Identity(), "Identity()"),
    ]
    for (layer, text) in layers { #expect(layer.description == text) }
  }

  @Test("a list prints equal neighbours once")
  func list() {
    #expect(
      ModuleList([ReLU(), ReLU(), ReLU()]).description == """
        ModuleList(
          (0-2): 3 x ReLU()
        )
        """)
    #expect(ModuleList<Module>().description == "ModuleList()")
    #expect(
      ModuleList<Module>([ReLU(), Tanh()]).description == """
        ModuleList(
          (0): ReLU()
          (1): Tanh()
        )
        """)
  }

  @Test("the summary is a table with totals")
  func summary() {
    let model = Perceptron()
    model.fc2.freeze()
    #expect(
      model.summary().description == """
          | name | type   | parameters | trainable |    size
        --+------+--------+------------+-----------+--------
        0 | fc1  | Linear |      8,320 |     8,320 | 33.3 kB
        1 | fc2  | Linear |      1,290 |         0 |  5.2 kB
        --+------+--------+------------+-----------+--------
        9,610 parameters (38.4 kB): 8,320 trainable, 1,290 frozen; buffers 0 B
        """)
  }

  @Test("the summary shows own parameters, deeper levels on request, and buffers")
  func summaryDepth() {
    let module = Everything()
    #expect(module.summary().rows.map(\.name).prefix(3) == ["scale", "hidden", "list.0"])
    #expect(module.summary().rows.first?.type == "Parameter")
    #expect(!module.summary().rows.contains { $0.name == "rest.0" })
    #expect(module.summary(depth: nil).rows.contains { $0.name == "rest.0" })
    #expect(module.summary().bufferByteCount == 20)
    #expect(module.summary().description.hasSuffix("buffers 20 B"))
  }
}
