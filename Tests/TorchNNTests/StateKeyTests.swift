import Testing

@testable import TorchNN

@Suite("State keys")
struct StateKeyTests {
  @Test(
    "camel case becomes snake case",
    arguments: [
      ("weight", "weight"), ("runningMean", "running_mean"), ("numBatchesTracked", "num_batches_tracked"),
      ("cAttn", "c_attn"), ("lmHead", "lm_head"), ("fc1", "fc1"), ("conv1Weight", "conv1_weight"), ("ln_1", "ln_1"),
      ("URLPath", "url_path"), ("aB", "a_b"), ("Head", "head"), ("", ""),
    ])
  func snakeCase(name: String, key: String) {
    #expect(StateKey.snakeCase(name) == key)
  }

  @Test("paths are joined with dots, empty parts left out")
  func joining() {
    #expect(StateKey.join("", "weight") == "weight")
    #expect(StateKey.join("fc1", "weight") == "fc1.weight")
    #expect(StateKey.join("fc1", "") == "fc1")
  }
}
