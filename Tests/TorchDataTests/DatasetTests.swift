import Testing
import Torch
import TorchData

struct DatasetTests {
  private let rows = Tensor((0..<12).map(Float.init), shape: [6, 2])
  private let labels = Tensor(Array(0..<6))

  @Test func `successive rows are a view, others a copy`() throws {
    let dataset = TensorDataset(rows, labels)
    #expect(dataset.count == 6)
    let view = try dataset.batch([2, 3, 4])
    #expect(try view[0].array(as: Float.self) == [4, 5, 6, 7, 8, 9])
    #expect(try view[1].array(as: Int.self) == [2, 3, 4])
    #expect(view[0].storageIdentifier == rows.storageIdentifier)

    let copy = try dataset.batch([5, 0, 0])
    #expect(try copy[0].array(as: Float.self) == [10, 11, 0, 1, 0, 1])
    #expect(copy[0].storageIdentifier != rows.storageIdentifier)
    #expect(try dataset.batch([])[0].shape == [0, 2])
  }

  @Test func `tensors of different lengths are refused`() throws {
    let error = try #require(throws: TorchError.self) {
      try withErrorScope { _ = TensorDataset(rows, Tensor(Array(0..<5))) }
    }
    #expect(error.message.contains("[[6, 2], [5]]"))
    #expect(throws: TorchError.self) { try withErrorScope { _ = TensorDataset(Tensor.full([], 1)) } }
  }

  @Test func `batches pass through a function`() throws {
    let dataset = TensorDataset(rows).map { ($0[0] * 2).sum() }
    #expect(dataset.isImmediate)
    #expect(try dataset.batch([0, 5]).scalar() == 44)
  }

  @Test func `elements of a collection are collated`() throws {
    let dataset = ArrayDataset(["a", "b", "c"][1...]) { $0.joined() }
    #expect(dataset.count == 2)
    #expect(try dataset.batch([1, 0, 1]) == "cbc")
    #expect(!dataset.isImmediate)
  }

  @Test func `a dataset is split in order or at random`() throws {
    let dataset = TensorDataset(labels)
    let parts = dataset.split([4, 2])
    #expect(try parts[1].batch([1, 0])[0].array(as: Int.self) == [5, 4])
    #expect(try parts[1].batch([0, 1])[0].storageIdentifier == labels.storageIdentifier)
    #expect(try dataset.subset(2..<5).batch([0, 2])[0].array(as: Int.self) == [2, 4])

    let random = dataset.split([4, 2], seed: 7)
    #expect(random[0].indices + random[1].indices == (try RandomSampler(count: 6, seed: 7).indices(epoch: 0)))

    let error = try #require(throws: TorchError.self) { try withErrorScope { _ = dataset.split([4, 3]) } }
    #expect(error.message.contains("add up to 7, the dataset has 6"))
  }
}
