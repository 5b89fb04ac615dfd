import Testing

@testable import Stratagem

@Suite("Boxes of elements")
struct TensorBoxTests {
  /// The runs, by going through all elements.
  private func expected(_ offsets: [Int], _ sizes: [Int], _ shape: [Int]) -> [Int] {
    var numbers: [Int] = []
    func visit(_ dim: Int, _ number: Int) {
      guard dim < shape.count else { return numbers.append(number) }
      for index in 0..<sizes[dim] { visit(dim + 1, number * shape[dim] + offsets[dim] + index) }
    }
    visit(0, 0)
    return numbers
  }

  @Test(
    "Elements in order, in as few runs as there can be",
    arguments: [
      ([0, 0], [5, 4], [5, 4], 1), ([3, 0], [2, 4], [5, 4], 1), ([0, 2], [5, 2], [5, 4], 5), ([1], [3], [6], 1),
      ([], [], [], 1), ([1, 0, 1], [2, 3, 1], [4, 3, 2], 6), ([1, 1, 0], [2, 2, 5], [4, 3, 5], 2),
      ([0, 0], [0, 4], [0, 4], 0),
    ])
  func runs(offsets: [Int], sizes: [Int], shape: [Int], count: Int) throws {
    let box = try #require(TensorBox(offsets: offsets, sizes: sizes, in: shape))
    #expect(box.runs.flatMap { Array($0.start..<$0.start + $0.count) } == expected(offsets, sizes, shape))
    #expect(box.runs.count == count)
    var next = 0
    for run in box.runs {
      #expect(run.offset == next)
      next += run.count
    }
  }

  @Test("A box that sticks out is none")
  func outside() {
    #expect(TensorBox(offsets: [4], sizes: [2], in: [5]) == nil)
    #expect(TensorBox(offsets: [0], sizes: [2], in: [5, 1]) == nil)
  }
}
