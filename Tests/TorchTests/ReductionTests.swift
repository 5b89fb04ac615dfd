import Testing
import Torch

@Suite struct ReductionTests {
  private let matrix = Tensor([3.0, -1, 2, 0, 5, 4], shape: [2, 3])

  @Test func overEverything() throws {
    expect(matrix.sum(), [], [13])
    expect(matrix.mean(), [], [13.0 / 6], within: 1e-15)
    expect(matrix.max(), [], [5])
    expect(matrix.min(), [], [-1])
    expect(matrix.norm(), [], [(55.0).squareRoot()], within: 1e-14)
    expect(matrix.norm(1), [], [15])
    expect(matrix.argmax(), [], [4])
    expect(matrix.argmin(), [], [1])
    expect((matrix .> -2).all(), [], [1])
    expect((matrix .> 5).any(), [], [0])
    expect(Tensor([Double]()).sum(), [], [0])
    expect(Tensor([Double]()).mean(), [], [.nan])
  }

  @Test func overDimensions() {
    expect(matrix.sum(dim: 0), [3], [3, 4, 6])
    expect(matrix.sum(dim: 1), [2], [4, 9])
    expect(matrix.sum(dim: -1, keepDim: true), [2, 1], [4, 9])
    expect(matrix.sum(dim: 0, 1), [], [13])
    expect(matrix.mean(dim: 1), [2], [4.0 / 3, 3], within: 1e-15)
    expect(matrix.mean(dim: 0, 1, keepDim: true), [1, 1], [13.0 / 6], within: 1e-15)
    expect(matrix.max(dim: 1).values, [2], [3, 5])
    expect(matrix.max(dim: 1).indices, [2], [0, 1])
    expect(matrix.min(dim: 0, keepDim: true).values, [1, 3], [0, -1, 2])
    expect(matrix.min(dim: 0).indices, [3], [1, 0, 0])
    expect(matrix.argmax(dim: 0), [3], [0, 1, 1])
    expect(matrix.argmin(dim: 1, keepDim: true), [2, 1], [1, 0])
    expect(matrix.cumulativeSum(dim: 1), [2, 3], [3, 2, 4, 0, 5, 9])
  }

  @Test func spread() {
    expect(matrix.variance(dim: 1), [2], [13.0 / 3, 7], within: 1e-14)
    expect(matrix.variance(dim: 1, correction: 0), [2], [26.0 / 9, 14.0 / 3], within: 1e-14)
    expect(
      matrix.deviation(dim: 1, correction: 0, keepDim: true).square(), [2, 1], [26.0 / 9, 14.0 / 3], within: 1e-14)
    expect(matrix.variance(), [], [(55 - 169.0 / 6) / 5], within: 1e-13)
  }

  @Test func impossibleOnesFail() {
    #expect(failure { _ = matrix.sum(dim: 2) }?.message.contains("Dimension out of range") == true)
    #expect(failure { _ = Tensor([1, 2]).mean() }?.operation == "mean")
    #expect(failure { _ = Tensor([Double]()).max() }?.operation == "max")
  }

  /// The product of random matrices, batched and not, against the definition.
  @Test func matmulFollowsItsDefinition() {
    var source = SeededGenerator(state: 11)
    for _ in 0..<40 {
      let (n, k, m) = (
        Int.random(in: 1...4, using: &source), Int.random(in: 0...4, using: &source),
        Int.random(in: 1...4, using: &source)
      )
      let batch = Int.random(in: 0...2, using: &source)
      let left = drawn((batch > 0 ? [batch] : []) + [n, k], from: &source)
      let right = drawn([k, m], from: &source)
      let (a, b) = (numbers(left), numbers(right))
      var expected: [Double] = []
      for row in 0..<(max(batch, 1) * n) {
        for column in 0..<m { expected.append((0..<k).map { a[row * k + $0] * b[$0 * m + column] }.reduce(0, +)) }
      }
      expect(left.matmul(right), (batch > 0 ? [batch] : []) + [n, m], expected, within: 1e-12)
    }
  }

  @Test func matmulOfVectors() {
    let vector = Tensor([1.0, 2.0, 3.0])
    expect(vector.matmul(vector), [], [14])
    expect(matrix.matmul(vector), [2], [7, 22])
    expect(matrix.transposed.matmul(matrix), [3, 3], [9, -3, 6, -3, 26, 18, 6, 18, 20])
    let error = failure { _ = matrix.matmul(matrix) }
    #expect(error?.message == "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)")
    #expect(error?.arguments == ["self: [2, 3] float64", "other: [2, 3] float64"])
  }
}
