import Testing
import Torch

@Suite struct ThreadTests {
  private final class Results {
    let values: UnsafeMutableBufferPointer<Double>
    init(_ count: Int) {
      values = .allocate(capacity: count)
      values.initialize(repeating: .nan)
    }
    deinit { values.deallocate() }
  }

  /// Each of 16 threads trains a number of its own with backward, hooks, errors and random numbers.
  @Test func threadsDoNotDisturbEachOther() {
    let results = UnsafeTransfer(Results(16))
    runThreads(16) { index in
      let generator = Generator(seed: UInt64(index))
      let weight = Tensor([Double(index)])
      weight.requiresGradient = true
      var calls = 0
      weight.onGradientAccumulated { _ in calls += 1 }
      for _ in 0..<100 {
        let noise = Tensor.rand([3], dtype: .float64, generator: generator)
        (weight * noise).sum().backward(retainGraph: false)
        try? withErrorScope { _ = noise + Tensor.zeros([7]) }
        withoutGradients { weight.add(weight.gradient! - noise.sum()) }
        weight.gradient = nil
      }
      results.value.values[index] = numbers(weight)[0] + Double(calls)
    }
    for index in 0..<16 { #expect(abs(results.value.values[index] - Double(index) - 100) < 1e-9) }
  }

  @Test func oneTensorMayBeReadByMany() {
    let shared = UnsafeTransfer(Tensor.arange(10_000, dtype: .float64))
    let results = UnsafeTransfer(Results(8))
    runThreads(8) { index in
      var sum = 0.0
      for round in 0..<50 {
        let part = shared.value[(index * 1000)..<(index * 1000 + 1000)]
        sum = numbers(part.sum())[0] + Double(shared.value.shape[0] - 10_000) + Double(round - round)
      }
      results.value.values[index] = sum
    }
    for index in 0..<8 { #expect(results.value.values[index] == Double(index * 1_000_000 + 499_500)) }
  }

  @Test func tensorsMayGoOnAnotherThread() {
    let results = UnsafeTransfer(Results(1))
    for round in 0..<50 {
      let made = UnsafeTransfer((Tensor.full([100], Scalar(round)), Tensor.ones([100])))
      runThreads(1) { _ in
        let sum = made.value.0 + made.value.1
        results.value.values[0] = numbers(sum.sum())[0]
      }
      #expect(results.value.values[0] == Double(100 * (round + 1)))
    }
  }

  /// A graph that one thread built is walked by another.
  @Test func backwardOnAnotherThread() {
    let leaf = Tensor([3.0])
    leaf.requiresGradient = true
    let loss = UnsafeTransfer(leaf * leaf)
    runThreads(1) { _ in loss.value.backward() }
    expect(leaf.gradient, [1], [6])
  }
}
