import Glibc
import Torch
import TorchDistributed

extension Probe {
  private func leaf(_ values: [Double], _ shape: [Int]? = nil) -> Tensor {
    let tensor = Tensor(values, shape: shape)
    tensor.requiresGradient = true
    return tensor
  }

  /// Losses that differ between ranks, so that it shows whose gradients have come.
  func differentiate() throws {
    let group = try group()
    let x = leaf([Double(rank + 1), 2])
    let sum = try group.allReduceSum(x.square())
    try say("sum", sum.detached())
    try withErrorScope { (sum * Tensor([1, Double(10 * rank)])).sum().backward() }
    try say("sum gradient", x.gradient!)
    say("input", try x.detached().array(as: Double.self))

    let rows = leaf((0...rank).flatMap { [Double(rank), Double($0)] }, [rank + 1, 2])
    let parts = try group.allGather(rows * 2, syncGradients: true)
    say("shapes", parts.map { "\($0.shape)" })
    try say("parts", Tensor.cat(parts).detached())
    // Rank r weighs the rows of rank s by 10 r + s.
    let weighted = parts.enumerated().map { $1.sum() * Double(10 * rank + $0) }
    try withErrorScope { weighted.dropFirst().reduce(weighted[0]) { $0 + $1 }.backward() }
    try say("gather gradient", rows.gradient!)

    let number = leaf([Double(rank) + 0.5])
    let numbers = try group.allGather(number[0], syncGradients: true)
    say("numbers shapes", numbers.map { "\($0.shape)" })
    try withErrorScope { Tensor.stack(numbers).sum().backward() }
    try say("numbers gradient", number.gradient!)

    let plain = try group.allGather(rows, syncGradients: false)
    say("without", plain.map(\.requiresGradient))
    say("of constants", try group.allGather(Tensor([1.0]), syncGradients: true).map(\.requiresGradient))
    try? withErrorScope {
      let poisoned = Tensor.zeros([2]) + Tensor.zeros([3])
      sayFailure("poisoned sum") { _ = try group.allReduceSum(poisoned) }
      sayFailure("poisoned gather") { _ = try group.allGather(poisoned, syncGradients: true) }
    }
  }

  /// d²/dx² of (Σ over ranks of x³) · (rank + 1), summed over the ranks' losses.
  func differentiateTwice() throws {
    let group = try group()
    let x = leaf([Double(rank + 1)])
    let sum = try group.allReduceSum(x * x * x)
    let first = try withErrorScope {
      Tensor.gradients(of: [(sum * Double(rank + 1)).sum()], withRespectTo: [x], createGraph: true)[0]
    }
    try say("first", first.detached())
    try withErrorScope { first.sum().backward() }
    try say("second", x.gradient!)
  }

  func loseRankInBackward() throws {
    let group = try group(timeout: 20)
    let sum = try group.allReduceSum(leaf([1, 2]))
    if rank == size - 1 { kill(getpid(), SIGKILL) }
    sayFailure("lost") { try withErrorScope { sum.sum().backward() } }
  }
}
