import Testing
import Torch
import TorchNN

@Suite("Labels and indices out of range")
struct OutOfRangeTests {
  private func message(_ body: () -> Tensor) throws -> String {
    let error = try #require(throws: TorchError.self) { try withErrorScope { body() } }
    return error.message
  }

  @Test("cross entropy names the label, its position and the number of classes")
  func crossEntropy() throws {
    let logits = Tensor.zeros([4, 10])
    #expect(
      try message { Functional.crossEntropy(logits, Tensor([1, 9, 12, 30])) }
        == """
        label 12 at position 2 is out of range: there are 10 classes, so labels must be in 0..<10, or -100 to be \
        ignored
        """
    )
    #expect(
      try message { Functional.nll(logits, Tensor([1, -1, 2, 3])) }
        .hasPrefix("label -1 at position 1 is out of range: there are 10 classes"))
    #expect(
      try message {
        Functional.crossEntropy(.zeros([2, 3, 5]), Tensor([0, 1, 2, 0, 1, 2, 0, 3, 0, 0], shape: [2, 5]))
      }
      .hasPrefix("label 3 at position [1, 2] is out of range: there are 3 classes"))
    #expect(
      try message { Functional.crossEntropy(.zeros([3]), Tensor([3], shape: [])) }
        .hasPrefix("label 3 at position 0 is out of range: there are 3 classes"))
  }

  @Test("the ignored label is accepted, and other mistakes are left to libtorch")
  func accepted() throws {
    let logits = Tensor.zeros([2, 4])
    let loss = try withErrorScope { Functional.crossEntropy(logits, Tensor([-100, 3])) }
    #expect(abs(try loss.scalar() - 1.3862943611) < 1e-6)
    let other = try withErrorScope { Functional.crossEntropy(logits, Tensor([7, 3]), ignoreIndex: 7) }
    #expect(abs(try other.scalar() - 1.3862943611) < 1e-6)
    #expect(try message { Functional.crossEntropy(logits, Tensor([0, 1, 2])) }.contains("batch_size"))
  }

  @Test("the first failure is reported, not a consequence")
  func poisoned() throws {
    #expect(
      try message { Functional.crossEntropy(Tensor.zeros([2, 3]).matmul(.zeros([2, 3])), Tensor([9])) }
        .contains("mat1 and mat2 shapes cannot be multiplied"))
  }

  @Test("an embedding names the index and the size of the table")
  func embedding() throws {
    let layer = Embedding(5, 3)
    #expect(
      try message { layer(Tensor([0, 1, 2, 3, 4, 5], shape: [2, 3])) }
        == "index 5 at position [1, 2] is out of range: the table has 5 rows, so indices must be in 0..<5")
    #expect(
      try message { Embedding(5, 3, paddingIndex: 5).weight }
        == "paddingIndex 5 is out of range: the table has 5 rows")
  }

  @Test("one-hot names the class")
  func oneHot() throws {
    #expect(
      try message { Functional.oneHot(Tensor([0, 3]), classCount: 3) }
        == "class 3 at position 1 is out of range: there are 3 classes, so classes must be in 0..<3")
    let encoded = Functional.oneHot(Tensor([2, 0]), classCount: 3)
    #expect(try encoded.array(as: Int.self) == [0, 0, 1, 1, 0, 0])
    #expect(Functional.oneHot(Tensor([2, 0])).shape == [2, 3])
  }
}
