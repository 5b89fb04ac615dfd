import Testing
import Torch

@Suite struct ErrorScopeTests {
  private struct OwnError: Error {}

  private let short = Tensor([1.0, 2.0])
  private let long = Tensor([1.0, 2.0, 3.0])

  @Test func resultsPassThrough() throws {
    #expect(try withErrorScope { try (short + short).sum().scalar() } == 6)
  }

  @Test func theFirstErrorIsKept() throws {
    var line = 0
    let error = failure {
      line = #line + 1
      let first = short + long
      let second = long.matmul(Tensor.zeros([5]))
      _ = (first * second).sum()
    }
    #expect(error?.operation == "add")
    #expect(error?.arguments == ["self: [2] float64", "other: [3] float64"])
    #expect(error?.location == "\(#filePath):\(line)")
  }

  @Test func aPoisonedTensorHasAsManyChunks() throws {
    let error = failure {
      let parts = (short + long).chunks(3, dim: 2)
      #expect(parts.count == 3 && parts.allSatisfy(\.isPoisoned))
    }
    #expect(error?.operation == "add")
  }

  @Test func resultsOfFailuresArePoisoned() throws {
    _ = failure {
      let sum = short + long
      #expect(sum.isPoisoned)
      #expect(sum.shape.isEmpty && sum.count == 0 && sum.dtype == .undefined && sum.ndim == 0)
      #expect(!sum.requiresGradient && sum.gradient == nil && !sum.isContiguous)
      let derived = [
        sum * 2, sum.exp(), sum[0], sum.reshaped(2), sum.to(.float32), Tensor.cat([sum, short]), sum.detached(),
        short + sum, sum.sum(), sum[Tensor([0])], sum.max(dim: 0).indices,
      ]
      for (index, tensor) in derived.enumerated() { #expect(tensor.isPoisoned, "number \(index)") }
      #expect(sum.split(1).isEmpty)
      #expect(!sum.equals(short))
      sum.add(1)
      sum.backward()
      sum[0] = short
      let error = #expect(throws: TorchError.self) { try sum.exp().scalar() }
      #expect(error?.operation == "add")
      #expect(throws: TorchError.self) { try sum.array(as: Double.self) }
    }
  }

  @Test func theFirstErrorWinsOverOwnErrors() {
    #expect(throws: OwnError.self) { try withErrorScope { throw OwnError() } }
    let error = #expect(throws: TorchError.self) {
      try withErrorScope {
        _ = short + long
        throw OwnError()
      }
    }
    #expect(error?.operation == "add")
  }

  @Test func scopesNest() throws {
    try withErrorScope {
      let inner = failure { _ = short + long }
      #expect(inner?.operation == "add")
      let five = try (short * short).sum().scalar()
      #expect(five == 5)
      let second = failure { _ = long.matmul(short) }
      #expect(second?.operation == "matmul")
    }
    let outer = failure {
      _ = short - long
      let inner = failure { _ = short + long }
      #expect(inner?.operation == "add")
    }
    #expect(outer?.operation == "sub")
  }

  @Test func aThrownTorchErrorIsNoLongerPending() throws {
    try withErrorScope {
      let error = #expect(throws: TorchError.self) { try long.scalar() }
      #expect(error?.operation == "scalar")
      let two = try short[1].scalar()
      #expect(two == 2)
    }
  }

  @Test func locationsNameTheUsersLine() {
    func helper() -> (Tensor, Int) { (long.reshaped(2, 2), #line) }
    var line = 0
    let error = failure { line = helper().1 }
    #expect(error?.location == "\(#filePath):\(line)")
    #expect(error?.operation == "reshape")

    let inClosure = failure {
      line = #line + 1
      _ = [short, short].map { $0 + long }
    }
    #expect(inClosure?.location == "\(#filePath):\(line)")

    let inPlace = failure {
      line = #line + 1
      short.add(long)
    }
    #expect(inPlace?.location == "\(#filePath):\(line)")

    let assigned = failure {
      line = #line + 1
      short[0..<1] = long
    }
    #expect(assigned?.location == "\(#filePath):\(line)")

    let own = failure {
      line = #line + 1
      _ = Tensor.failed(operation: "own", message: "no", arguments: [("input", short)])
    }
    #expect(own?.location == "\(#filePath):\(line)")
    #expect(own?.description == "own(input: [2] float64): no\n  at \(#filePath):\(line)")
  }

  @Test func errorsInBackwardNameTheCall() {
    let x = Tensor([1.0, 2.0])
    x.requiresGradient = true
    var line = 0
    let error = failure {
      let product = x * x
      product.backward(gradient: long, retainGraph: true)
      line = #line - 1
    }
    #expect(error?.operation == "backward")
    #expect(error?.arguments == ["self: [2] float64"])
    #expect(error?.location == "\(#filePath):\(line)")
    #expect(error?.message.contains("got [3] but expected shape compatible with [2]") == true)
  }

  /// No message shows the C++ place that raised it, an empty end or an address.
  @Test func messagesAreTidy() {
    let failing: [() -> Void] = [
      { _ = short + long }, { _ = long.matmul(short) }, { _ = long[5] }, { _ = long.reshaped(2, 2) },
      { _ = Tensor.cat([]) }, { _ = Aten.einsum("ij,jk", tensors: [long]) }, { long.backward() },
      { _ = Aten.conv2d(long, weight: short) }, { _ = Tensor([1.0], shape: [3]) }, { _ = Tensor.zeros([-1]) },
      { _ = Aten.gelu(long, approximate: "wrong") }, { _ = Tensor.randperm(-1) }, { _ = Tensor([1]).mean() },
      { _ = Aten.embedding(long, indices: Tensor([7.5])) }, { _ = Tensor.ones([1], device: .cuda(0)) },
    ]
    for (index, body) in failing.enumerated() {
      guard let error = failure(body) else { continue }
      let message = error.message
      #expect(!message.isEmpty, "number \(index)")
      for sign in ["Exception raised", "frame #", "0x", ".cpp:", "\n\n\n"] {
        #expect(!message.contains(sign), "number \(index): \(message)")
      }
      #expect(message.last?.isWhitespace == false, "number \(index): \(message)")
      #expect(error.description.hasPrefix(error.operation), "number \(index)")
      #expect(error.location?.hasPrefix("\(#filePath):") == true, "number \(index): \(error)")
    }
  }

  @Test func longListsAreCut() {
    let error = failure { _ = Tensor.cat((0..<6).map { Tensor.zeros([$0 + 1, 1, $0]) }) }
    #expect(
      error?.arguments
        == [
          "tensors: 6 tensors [[1, 1, 0] float32, [2, 1, 1] float32, [3, 1, 2] float32, [4, 1, 3] float32, ...]"
        ])
  }

  @Test func scopesBelongToTheirThread() {
    let found = UnsafeTransfer(Found(count: 8))
    runThreads(8) { index in
      for round in 0..<50 {
        do {
          try withErrorScope {
            let sum = Tensor.zeros([index + 2]) + Tensor.zeros([index + 3])
            _ = sum * Tensor.zeros([round + 2])
          }
        } catch {
          found.value.errors[index] = (error as? TorchError)?.arguments ?? []
          continue
        }
        return
      }
    }
    for index in 0..<8 {
      #expect(found.value.errors[index] == ["self: [\(index + 2)] float32", "other: [\(index + 3)] float32"])
    }
  }

  /// One slot a thread.
  private final class Found {
    let errors: UnsafeMutableBufferPointer<[String]>
    init(count: Int) {
      errors = .allocate(capacity: count)
      errors.initialize(repeating: [])
    }
    deinit {
      errors.deinitialize()
      errors.deallocate()
    }
  }
}
