import Foundation
import Testing
import Torch
import TorchNN
import TorchOptim

struct QAdamTests {
  /// One number, by the formula.
  private struct Number {
    var (p, m, v, t) = (0.5, 0.0, 0.0, 0)

    mutating func step(_ gradient: Double, warmup: Int, decay: Double) {
      let g = gradient + decay * p
      t += 1
      m = 0.9 * m + 0.1 * g
      if t <= warmup { v = 0.999 * v + 0.001 * g * g }
      p -= 0.1 / (1 - pow(0.9, Double(t))) * m / (v.squareRoot() / (1 - pow(0.999, Double(t))).squareRoot() + 1e-8)
    }
  }

  private func gradient(_ step: Int) -> Double { sin(Double(step) + 0.5) }

  @Test(arguments: [(1, 0.0), (3, 0.0), (3, 0.1), (20, 0.0)])
  func `steps follow the formula, in the warm-up and after it`(_ warmup: Int, _ decay: Double) throws {
    let parameter = Parameter(wrappedValue: Tensor([0.5]))
    let optimizer = QAdam([parameter], learningRate: 0.1, warmupSteps: warmup, weightDecay: decay)
    var number = Number()
    for step in 0..<10 {
      #expect(optimizer.isWarmingUp == (step < warmup) && optimizer.stepCount == step)
      parameter.gradient = Tensor([gradient(step)])
      // Asking for the momentum before the step changes nothing.
      if step == 7, warmup < 7 {
        let entries = optimizer.advanceMomentum()
        #expect(entries.count == 1 && entries[0].parameter === parameter)
      }
      optimizer.step()
      number.step(gradient(step), warmup: warmup, decay: decay)
      let found = try parameter.tensor.detached().scalar()
      #expect(abs(found - number.p) < 1e-9, "step \(step)")
    }
  }

  @Test func `in the warm-up it is Adam`() throws {
    let results = try [true, false].map { isAdam in
      let parameter = Parameter(wrappedValue: Tensor([Float(0.5), -0.25]))
      let optimizer: Optimizer = isAdam ? Adam([parameter], learningRate: 0.1) : QAdam([parameter], learningRate: 0.1)
      for step in 0..<20 {
        parameter.gradient = Tensor([Float(gradient(step)), Float(gradient(step + 50))])
        optimizer.step()
      }
      return try parameter.tensor.detached().array(as: Float.self)
    }
    for (adam, own) in zip(results[0], results[1]) { #expect(abs(adam - own) < 1e-5) }
  }

  @Test func `what the momentum is replaced by is what the step takes`() throws {
    let parameter = Parameter(wrappedValue: Tensor([0.5]))
    let idle = Parameter(wrappedValue: Tensor([1.5]))
    let optimizer = QAdam([parameter, idle], learningRate: 0.1, warmupSteps: 1)
    parameter.gradient = Tensor([1.0])
    idle.gradient = Tensor([1.0])
    optimizer.step()
    optimizer.zeroGradients()
    let before = try idle.tensor.detached().scalar()
    parameter.gradient = Tensor([1.0])
    for entry in optimizer.advanceMomentum() { entry.momentum.zero() }
    let kept = try parameter.tensor.detached().scalar()
    optimizer.step()
    #expect(try parameter.tensor.detached().scalar() == kept)
    // A parameter without a gradient takes the step with the others.
    #expect(try idle.tensor.detached().scalar() == before && optimizer.stepCount == 2)
  }

  @Test func `state continues where it was saved`() throws {
    func train(_ optimizer: QAdam, _ parameter: AnyParameter, _ steps: Range<Int>) {
      for step in steps {
        parameter.gradient = Tensor([gradient(step)])
        optimizer.step()
      }
    }
    let parameter = Parameter(wrappedValue: Tensor([0.5]))
    let whole = QAdam([parameter], learningRate: 0.1, warmupSteps: 4)
    train(whole, parameter, 0..<3)
    let state = whole.stateDictionary()
    let copy = Parameter(wrappedValue: parameter.tensor.detached().clone())
    let second = QAdam([copy], learningRate: 0.5, warmupSteps: 4)
    try second.load(state)
    train(whole, parameter, 3..<8)
    train(second, copy, 3..<8)
    #expect(try parameter.tensor.detached().scalar() == copy.tensor.detached().scalar())
    #expect(second.stepCount == 8)
  }

  @Test func `options out of range are errors`() {
    let parameter = Parameter(wrappedValue: Tensor([0.5]))
    for make in [
      { _ = QAdam([parameter], warmupSteps: 0) }, { _ = QAdam([parameter], betas: (1, 0.9)) },
      { _ = QAdam([parameter], epsilon: -1) },
    ] {
      #expect(throws: TorchError.self) { try withErrorScope { make() } }
    }
  }
}
