import Testing
import Torch

@Suite struct IndexingTests {
  private let matrix = Tensor.arange(12).reshaped(3, 4)
  private let cube = Tensor.arange(24).reshaped(2, 3, 4)

  @Test func wholeNumbers() {
    expect(matrix[1], [4], [4, 5, 6, 7])
    expect(matrix[-1], [4], [8, 9, 10, 11])
    expect(matrix[1, 2], [], [6])
    expect(matrix[-1, -1], [], [11])
    expect(cube[1, 2, 3], [], [23])
  }

  @Test func ranges() {
    expect(matrix[0..<2, 1], [2], [1, 5])
    expect(matrix[1...], [2, 4], [4, 5, 6, 7, 8, 9, 10, 11])
    expect(matrix[.all, 2...], [3, 2], [2, 3, 6, 7, 10, 11])
    expect(matrix[..<1], [1, 4], [0, 1, 2, 3])
    expect(matrix[...1, 0], [2], [0, 4])
    expect(matrix[1...1, 0], [1], [4])
    expect(matrix[0, (-2)...], [2], [2, 3])
    expect(matrix[0, ..<(-1)], [3], [0, 1, 2])
    expect(matrix[0, 1..<100], [3], [1, 2, 3])
    expect(matrix[2..<2], [0, 4], [])
  }

  @Test func closedRangesReachTheLastEntry() {
    expect(matrix[0, -3 ... -1], [3], [1, 2, 3])
    expect(matrix[0, ...(-1)], [4], [0, 1, 2, 3])
    expect(matrix[0, ...(-2)], [3], [0, 1, 2])
  }

  @Test func stridesAndPlaceholders() {
    expect(matrix[0, .stride(from: 0, to: 4, by: 2)], [2], [0, 2])
    expect(matrix[.stride(by: 2), 1], [2], [1, 9])
    expect(cube[.ellipsis, 0], [2, 3], [0, 4, 8, 12, 16, 20])
    expect(cube[0, .ellipsis], [3, 4], (0..<12).map(Double.init))
    expect(cube[1, .ellipsis, 1], [3], [13, 17, 21])
    expect(cube[1, 2, 3, .ellipsis], [], [23])
    expect(matrix[.newAxis, 0], [1, 4], [0, 1, 2, 3])
    #expect(matrix[.all, .newAxis].shape == [3, 1, 4])
    #expect(matrix[.newAxis, .ellipsis, .newAxis].shape == [1, 3, 4, 1])
    #expect(cube[0, .newAxis, .ellipsis, 1..<2].shape == [1, 3, 1])
  }

  @Test func tensorsGather() {
    expect(matrix[Tensor([2, 0])], [2, 4], [8, 9, 10, 11, 0, 1, 2, 3])
    expect(matrix[.all, Tensor([3, 3])], [3, 2], [3, 3, 7, 7, 11, 11])
    expect(matrix[Tensor([0, 2]), Tensor([1, 3])], [2], [1, 11])
    expect(matrix[Tensor([-1]), 1...], [1, 3], [9, 10, 11])
    expect(matrix[Tensor([0, 1], shape: [2, 1]), Tensor([0, 1])], [2, 2], [0, 1, 4, 5])
    expect(cube[1, Tensor([0, 2]), .stride(by: 3)], [2, 2], [12, 15, 20, 23])
    expect(cube[.ellipsis, Tensor([1])], [2, 3, 1], [1, 5, 9, 13, 17, 21])
    expect(matrix[Tensor([2, 0], shape: [1, 2])], [1, 2, 4], [8, 9, 10, 11, 0, 1, 2, 3])
  }

  @Test func masksSelect() {
    expect(matrix[matrix .> 8], [3], [9, 10, 11])
    expect(matrix[Tensor([true, false, true])], [2, 4], [0, 1, 2, 3, 8, 9, 10, 11])
    expect(matrix[.all, Tensor([false, true, false, true])], [3, 2], [1, 3, 5, 7, 9, 11])
    expect(cube[1, matrix .< 2], [2], [12, 13])
    expect(cube[matrix[0..<2, 0..<3] .> 4, 0], [2], [16, 20])
    expect(matrix[matrix .> 100], [0], [])
  }

  @Test func assigns() {
    let tensor = Tensor.zeros([2, 3])
    tensor[0] = Tensor([1 as Float, 2, 3])
    tensor[.all, 1] = Tensor(9)
    tensor[1, 2...] = Tensor([7])
    expect(tensor, [2, 3], [1, 9, 3, 0, 9, 7])
    tensor[tensor .== 9] = Tensor(-1)
    expect(tensor, [2, 3], [1, -1, 3, 0, -1, 7])
    tensor[Tensor([1, 0]), Tensor([0, 2])] = Tensor([50 as Float, 60])
    expect(tensor, [2, 3], [1, -1, 60, 50, -1, 7])
    tensor[.ellipsis] = Tensor([0 as Float, 1, 2])
    expect(tensor, [2, 3], [0, 1, 2, 0, 1, 2])
    tensor[1...][0, ..<2] += Tensor([10 as Float, 10])
    expect(tensor, [2, 3], [0, 1, 2, 10, 11, 2])
  }

  @Test func assignmentIsRecorded() {
    let source = Tensor([2.0, 3.0])
    source.requiresGradient = true
    let target = Tensor.zeros([3], dtype: .float64)
    target[1...] = source * source
    target.sum().backward()
    expect(source.gradient, [2], [4, 6])
  }

  @Test func outOfRangeFails() {
    let error = failure { _ = matrix[3] }
    #expect(error?.operation == "select")
    #expect(error?.message.contains("index 3 out of range for tensor of size [3, 4] at dimension 0") == true)
    #expect(failure { _ = matrix[0, 0, 0] } != nil)
    #expect(failure { _ = matrix[Tensor([3])] }?.operation == "index")
    #expect(failure { _ = matrix[Tensor([true, false])] }?.operation == "index")
    #expect(failure { _ = matrix[Tensor([0.5])] }?.operation == "index")
    #expect(failure { matrix[0] = Tensor([1, 2, 3]) }?.operation == "copy_")
    let put = failure { matrix[Tensor([0, 1])] = Tensor([1, 2, 3]) }
    #expect(put?.operation == "index_put_")
    #expect(put?.arguments == ["self: [3, 4] int64", "values: [3] int64"])
  }

  @Test func namedSelections() {
    expect(matrix.indexSelected(dim: 1, Tensor([3, 0])), [3, 2], [3, 0, 7, 4, 11, 8])
    expect(matrix.gathered(dim: 1, Tensor([0, 1, 2], shape: [3, 1])), [3, 1], [0, 5, 10])
  }

  /// Random indices of a random tensor, against arithmetic on positions.
  @Test func randomPositions() {
    var source = SeededGenerator(state: 5)
    for _ in 0..<50 {
      let shape = (0..<3).map { _ in Int.random(in: 1...4, using: &source) }
      let tensor = Tensor.arange(shape.reduce(1, *)).reshaped(shape)
      let start = shape.map { Int.random(in: 0..<$0, using: &source) }
      let end = zip(start, shape).map { Int.random(in: $0..<($1 + 1), using: &source) }
      var expected: [Double] = []
      for i in start[0]..<end[0] {
        for j in start[1]..<end[1] {
          for k in start[2]..<end[2] { expected.append(Double((i * shape[1] + j) * shape[2] + k)) }
        }
      }
      let part = tensor[start[0]..<end[0], start[1]..<end[1], start[2]..<end[2]]
      expect(part, zip(start, end).map { $1 - $0 }, expected)
      expect(
        tensor[start[0], start[1], start[2] - shape[2]], [],
        [
          Double((start[0] * shape[1] + start[1]) * shape[2] + start[2])
        ])
    }
  }
}
