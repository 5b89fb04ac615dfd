import Glibc
import Testing
import Torch

@Suite struct LifetimeTests {

  @Test func objectsGoAtTheEndOfTheirUse() {
    weak var weakSum: Tensor?
    weak var weakView: Tensor?
    weak var weakFirst: Tensor?
    do {
      let base = Tensor.ones([10])
      let sum = base + 1
      let view = base[0..<5]
      let parts = base.split(3)
      (weakSum, weakView, weakFirst) = (sum, view, parts[0])
      #expect(parts.count == 4)
      expect(sum.sum() + view.sum() + parts[0].sum(), [], [28])
    }
    #expect(weakSum == nil)
    #expect(weakView == nil)
    #expect(weakFirst == nil)
  }

  @Test func failuresAndScopesKeepNothing() {
    weak var argument: Tensor?
    weak var result: Tensor?
    do {
      let tensor = Tensor.ones([2])
      argument = tensor
      _ = failure {
        let sum = tensor + Tensor.ones([3])
        result = sum
      }
    }
    #expect(argument == nil)
    #expect(result == nil)
  }

  /// A hundred rounds with 16 MiB tensors, their views, graphs, hooks and errors fit into 512 MiB more than one round.
  @Test func memoryIsGivenBack() async {
    await #expect(processExitsWith: .success) {
      TorchRuntime.threadCount = 1
      let parameter = Tensor.ones([1 << 22])
      parameter.requiresGradient = true
      useMemory(parameter)
      guard limitFurtherMemory(to: 512 << 20) else { fatalError("the limit cannot be set") }
      for _ in 0..<100 { useMemory(parameter) }
    }
  }

  @Test func theMemoryLimitIsFelt() async {
    await #expect(processExitsWith: .failure) {
      guard limitFurtherMemory(to: 512 << 20) else { return }
      var kept: [Tensor] = []
      for _ in 0..<100 { kept.append(Tensor.ones([1 << 22])) }
      withExtendedLifetime(kept) {}
    }
  }

  @Test func listsArriveInOrder() {
    let tensors = (0..<100).map { Tensor([Double($0)]) }
    expect(Tensor.cat(tensors), [100], (0..<100).map(Double.init))
    let norms = Aten._foreach_norm(tensors)
    #expect(norms.map { numbers($0)[0] } == (0..<100).map(Double.init))
    Aten._foreach_mul_(tensors, scalar: 2)
    expect(tensors[50], [1], [100])
    Aten._foreach_add_(tensors, other: tensors)
    expect(tensors[50], [1], [200])
    #expect(failure { Aten._foreach_zero_([]) }?.operation == "_foreach_zero_")
  }

  @Test func oneObjectMayStandInSeveralPlaces() {
    let tensor = Tensor([2.0])
    expect(Tensor.cat([tensor, tensor, tensor]), [3], [2, 2, 2])
    tensor.add(tensor)
    tensor.copy(from: tensor)
    expect(tensor, [1], [4])
    expect(Tensor.stack([tensor, tensor]).matmul(tensor), [2], [16, 16])
  }
}

/// Lets the address space of this process grow by `byteCount` and no further.
private func limitFurtherMemory(to byteCount: UInt) -> Bool {
  guard let file = fopen("/proc/self/statm", "r") else { return false }
  defer { fclose(file) }
  var pages: UInt = 0
  let scanned = withUnsafeMutablePointer(to: &pages) { pointer in
    withVaList([pointer]) { vfscanf(file, "%lu", $0) }
  }
  guard scanned == 1 else { return false }
  let size = pages * UInt(sysconf(Int32(_SC_PAGESIZE))) + byteCount
  var limit = rlimit(rlim_cur: size, rlim_max: size)
  return setrlimit(__rlimit_resource_t(RLIMIT_AS.rawValue), &limit) == 0
}

/// Operations of many kinds on 16 MiB; everything they make is to be gone at the end.
private func useMemory(_ parameter: Tensor) {
  let hook = parameter.onGradientAccumulated { _ in }
  defer { hook.remove() }
  parameter.gradient = nil
  let inner = parameter * 2
  inner.onGradient { $0 * 1 }
  let joined = Tensor.cat(inner.split(1 << 20).map { $0[0..<(1 << 20)] })
  let largest = joined.reshaped(2, -1).max(dim: 1)
  (joined.sum() + largest.values.sum()).backward()
  guard (try? withErrorScope { joined + Tensor.ones([3]) }) == nil else { fatalError("shapes") }
  guard (try? joined.array(as: Float.self).count) == joined.count else { fatalError("array") }
  let gradients = Tensor.gradients(of: [(parameter * parameter).sum()], withRespectTo: [parameter])
  guard gradients[0].count == joined.count else { fatalError("gradients") }
  guard joined[Tensor([0, 7])].count == 2 else { fatalError("indexing") }
}
