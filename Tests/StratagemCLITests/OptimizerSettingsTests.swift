import Stratagem
import Testing
import Torch
import TorchNN
import TorchOptim

@testable import StratagemCLI

@Suite("Optimizers and schedules from settings")
struct OptimizerSettingsTests {
  @Test(
    "the steps of a run",
    arguments: [
      (46, 1, 3, nil, 138), (46, 3, 2, nil, 32), (46, 46, 2, nil, 2), (46, 1, 3, 10, 10), (46, 1, nil, 500, 500),
      (46, 2, 1, 500, 23),
    ] as [(Int, Int, Int?, Int?, Int)])
  func totalSteps(_ batches: Int, _ accumulate: Int, _ epochs: Int?, _ maxSteps: Int?, _ total: Int) throws {
    #expect(
      try OptimizerSettings.totalSteps(batches: batches, accumulate: accumulate, epochs: epochs, maxSteps: maxSteps)
        == total)
  }

  @Test("each name makes its optimizer with its options")
  func optimizers() throws {
    let layer = Linear(2, 1)
    let sgd = try OptimizerSettings(.sgd, learningRate: 0.1, momentum: 0.9, weightDecay: 0.5).plan(for: layer)
    let group = try #require((sgd.optimizers[0] as? SGD)?.parameterGroups.first as? SGD.Group)
    #expect(group.learningRate == 0.1)
    #expect(group.momentum == 0.9)
    #expect(group.weightDecay == 0.5)
    #expect(sgd.schedules.isEmpty)
    let adamw = try OptimizerSettings(.adamw, learningRate: 0.2).plan(for: layer)
    #expect(adamw.optimizers[0] is AdamW)
    #expect(adamw.optimizers[0].parameterGroups[0].weightDecay == 0.01)
    let adam = try OptimizerSettings(.adam, learningRate: 0.2).plan(for: layer).optimizers[0]
    #expect(adam is Adam && !(adam is AdamW))
  }

  @Test("a step schedule halves per epoch, a cosine reaches zero at the last step")
  func schedules() throws {
    let layer = Linear(2, 1)
    let step = try OptimizerSettings(.sgd, learningRate: 0.4, schedule: .step).plan(for: layer)
    #expect(step.schedules.map(\.interval) == [.epoch])
    step.optimizers[0].step()
    step.schedules[0].schedule.step()
    #expect(step.optimizers[0].parameterGroups[0].learningRate == 0.2)

    var settings = OptimizerSettings(.sgd, learningRate: 0.4, schedule: .cosine)
    #expect(throws: (any Error).self) { try settings.plan(for: layer) }
    settings.totalSteps = { 10 }
    let cosine = try settings.plan(for: layer)
    #expect(cosine.schedules.map(\.interval) == [.step])
    for _ in 0..<10 {
      cosine.optimizers[0].step()
      cosine.schedules[0].schedule.step()
    }
    #expect(abs(cosine.optimizers[0].parameterGroups[0].learningRate) < 1e-12)
  }

  @Test("hyper-parameters carry PyTorch's names")
  func archive() {
    let sgd = OptimizerSettings(.sgd, learningRate: 0.1, momentum: 0.9).archive
    #expect(sgd["lr"]?.doubleValue == 0.1)
    #expect(sgd["momentum"]?.doubleValue == 0.9)
    let adamw = OptimizerSettings(.adamw, learningRate: 1e-3, momentum: 0.9, schedule: .cosine).archive
    #expect(adamw["momentum"] == nil)
    #expect(adamw["weight_decay"]?.doubleValue == 0.01)
    #expect(adamw["schedule"]?.stringValue == "cosine")
  }
}
