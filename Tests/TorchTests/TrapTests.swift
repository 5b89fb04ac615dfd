import Testing
import Torch

/// Outside of an error scope a failed operation ends the process, and says what failed where.
@Suite struct TrapTests {
  private func text(_ result: ExitTest.Result?) -> String {
    String(decoding: result?.standardErrorContent ?? [], as: UTF8.self)
  }

  @Test func operatorsTrapWithTheirLine() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { addWrongShapes() }
    let text = text(result)
    #expect(
      text.contains("add(self: [2, 3] float32, other: [4] int32): The size of tensor a (3) must match"), "\(text)")
    #expect(text.contains("at \(#filePath):\(lineOfAddition)\n"), "\(text)")
    #expect(!text.contains("Exception raised from"), "\(text)")
  }

  @Test func inPlaceOperationsTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) { copyWrongShape() }
    #expect(text(result).contains("copy_(self: [2] float32, src: [3] float32)"))
    #expect(text(result).contains("at \(#filePath):\(lineOfCopy)\n"))
  }

  @Test func poisonedTensorsThatLeftTheirScopeTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      var kept = Tensor(0)
      try? withErrorScope { kept = Tensor.zeros([2]) + Tensor.zeros([3]) }
      _ = kept.exp()
    }
    #expect(text(result).contains("exp(self: result of a failed operation)"))
  }

  @Test func dimensionsThatDoNotExistTrap() async {
    let result = await #expect(processExitsWith: .failure, observing: [\.standardErrorContent]) {
      _ = Tensor.zeros([2, 3]).size(2)
    }
    #expect(text(result).contains("dimension 2 of a tensor of shape [2, 3]"))
  }

  @Test func throwingMethodsDoNotTrap() async {
    await #expect(processExitsWith: .success) {
      do {
        _ = try Tensor.zeros([2]).scalar()
      } catch {
        return
      }
      fatalError("nothing was thrown")
    }
  }
}

// Operations stand outside of the macro, whose arguments have no line of their own.

private let lineOfAddition = #line + 3

private func addWrongShapes() {
  _ = Tensor.zeros([2, 3]) + Tensor.zeros([4], dtype: .int32)
}

private let lineOfCopy = #line + 4

private func copyWrongShape() {
  let tensor = Tensor.zeros([2])
  tensor.copy(from: Tensor.ones([3]))
}
