import Foundation
import Testing
import Torch

@Suite("byte-gpt against PyTorch")
struct LanguageModelReferenceTests {
  @Test("Losses of the first steps, and the validation after them", arguments: ["adamw", "adamw-2-ranks"])
  func firstSteps(name: String) throws {
    let expected = try #require(try ReferenceRun.File("byte-gpt").runs[name])
    let folder = try TemporaryFolder()
    let weights = "\(folder.path)/w3.safetensors"
    try InitialWeights.writeLanguageModel(to: weights)

    // Single, three steps are enough; on two ranks all five, whose validation the reference has.
    let steps = expected.ranks == 1 ? 3 : try #require(expected.maxSteps)
    var flags = expected.flags(weights: weights, output: folder.path) + ["--no-checkpoints"]
    flags[try #require(flags.firstIndex(of: "--max-steps")) + 1] = "\(steps)"
    let run = try ProgramRun("byte-gpt", flags).succeeded()

    let losses = try MetricsFile("\(folder.path)/metrics.csv").values("train/loss")
    #expect(losses.count == steps)
    for (step, loss) in losses.enumerated() {
      expectClose(loss, expected.losses[step], within: expected.relativeTolerance, "loss of step \(step)")
    }
    if steps == expected.maxSteps {
      let loss = try #require(try run.json()["val/loss"]?.number)
      expectClose(loss, try #require(expected.validation.first).loss, within: 1e-4, "val/loss")
    }
  }
}
