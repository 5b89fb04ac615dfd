import OrderedCollections
import Testing
import Torch
import TorchNN

/// What draws from the default generator, each in a process of its own: other tests draw from it too.
@Suite("Random numbers of a seeded process against PyTorch")
struct SeededProcessTests {
  @Test("initial weights are PyTorch's for the same seed and order of construction, to the bit")
  func initialWeights() async {
    await #expect(processExitsWith: .success) {
      let expected = try #require(Reference.layers.initialWeights)
      TorchRuntime.manualSeed(0)
      let layers: [(String, Module)] = [
        ("linear", Linear(6, 4)), ("conv2d", Conv2d(2, 3, kernelSize: 3)), ("embedding", Embedding(5, 4)),
      ]
      for (name, layer) in layers {
        let records = try #require(expected[name])
        let state = layer.stateDictionary()
        #expect(state.count == records.count)
        for (key, record) in records { #expect(state[key]?.equals(record.tensor) == true, "\(name).\(key)") }
      }
    }
  }

  @Test("dropout masks are PyTorch's for the same seed")
  func dropout() async {
    await #expect(processExitsWith: .success) {
      let cases = try #require(Reference.layers.dropout)
      #expect(!cases.isEmpty)
      for expected in cases {
        TorchRuntime.manualSeed(expected.seed)
        let layer = Dropout(expected.p)
        #expect(layer(.ones([24])).equals(expected.first.tensor))
        #expect(Functional.dropout(.ones([3, 4]), probability: expected.p).equals(expected.second.tensor))
      }
    }
  }
}
