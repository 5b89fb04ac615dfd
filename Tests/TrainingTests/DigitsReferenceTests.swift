import Foundation
import Testing
import Torch

@Suite("The digits programs against PyTorch")
struct DigitsReferenceTests {
  static let perceptrons = (try? ReferenceRun.File("digits-mlp").runs.keys.sorted()) ?? []

  @Test("The reference has every mode")
  func modes() { #expect(Self.perceptrons.count == 18) }

  @Test("digits: loss of every batch, validation after each epoch, weights at the end", arguments: perceptrons)
  func perceptron(name: String) throws { try compare("digits", "digits-mlp", "w1.safetensors", name) }

  @Test("digits-cnn: the same, and the running statistics of its batch normalisation")
  func convolutional() throws { try compare("digits-cnn", "digits-cnn", "w2.safetensors", "sgd") }

  private func compare(_ program: String, _ file: String, _ weights: String, _ name: String) throws {
    let all = try ReferenceRun.File(file)
    let expected = try #require(all.runs[name])
    let later = max(expected.relativeTolerance, all.relativeToleranceAfterFirstEpoch ?? 0)
    let folder = try TemporaryFolder()
    let run = try ProgramRun(
      program, expected.flags(weights: Repository.reference(weights), output: folder.path)
    ).succeeded()

    let metrics = try MetricsFile("\(folder.path)/metrics.csv")
    try compareLosses(metrics, expected, later: later)
    try compareValidation(metrics, expected, later: later)
    try compareWeights(CheckpointFile("\(folder.path)/last.ckpt"), expected, later: later)

    let json = try run.json()
    #expect(json["samples"]?.number == 297)
    #expect(json["steps"]?.number == Double(expected.optimizerSteps))
    #expect(json["epochs"]?.number == Double(expected.epochs))
    #expect(json["val/loss"]?.number == (try metrics.values("val/loss").last))
    #expect(json["val/accuracy"]?.number == (try metrics.values("val/accuracy").last))
    #expect((json["seconds"]?.number ?? 0) > 0 && (json["steps_per_second"]?.number ?? 0) > 0)
  }

  private func compareLosses(_ metrics: MetricsFile, _ expected: ReferenceRun, later: Double) throws {
    let rows = try metrics.rows("train/loss")
    try #require(rows.count == expected.losses.count)
    let perEpoch = expected.losses.count / expected.epochs
    let stepsPerEpoch = (perEpoch + expected.accumulate - 1) / expected.accumulate
    for (index, row) in rows.enumerated() {
      let (epoch, batch) = index.quotientAndRemainder(dividingBy: perEpoch)
      #expect(row.epoch == epoch)
      #expect(row.step == epoch * stepsPerEpoch + batch / expected.accumulate)
      let tolerance = epoch == 0 ? expected.relativeTolerance : later
      expectClose(row.value, expected.losses[index], within: tolerance, "loss of batch \(index)")
      // Digits enough to restore the float, and no more.
      if expected.ranks == 1, expected.precision == "32-true" { #expect(Float(row.text)?.description == row.text) }
    }
  }

  private func compareValidation(_ metrics: MetricsFile, _ expected: ReferenceRun, later: Double) throws {
    let losses = try metrics.values("val/loss")
    let accuracies = try metrics.values("val/accuracy")
    try #require(losses.count == expected.validation.count && accuracies.count == losses.count)
    for (index, reference) in expected.validation.enumerated() {
      // The validation follows the epoch's last step, where the differences of its steps have grown together.
      expectClose(losses[index], reference.loss, within: later, "val/loss of epoch \(index)")
      // In bfloat16, and after long training, an image on the edge of two classes may fall to either side.
      let slack = expected.precision == "bf16-mixed" ? 3.0 : index == 0 ? 0 : 1
      #expect(abs((accuracies[index] * 297).rounded() - Double(reference.correct)) <= slack)
      #expect(abs(accuracies[index] * 297 - (accuracies[index] * 297).rounded()) < 1e-9)
    }
  }

  private func compareWeights(_ checkpoint: CheckpointFile, _ expected: ReferenceRun, later: Double) throws {
    #expect(checkpoint.step == expected.optimizerSteps)
    var summaries = expected.finalWeights
    summaries.merge(expected.buffers?.last ?? [:]) { $1 }
    let found = try checkpoint.weights().filter { !$0.name.hasSuffix("num_batches_tracked") }
    #expect(Set(found.map(\.name)) == Set(summaries.keys))
    for (name, values) in found {
      let reference = try #require(summaries[name])
      let norm = values.reduce(0) { $0 + $1 * $1 }.squareRoot()
      expectClose(norm, reference.l2, within: later, "norm of \(name)")
      for (value, expected) in zip(values, reference.first) {
        #expect(abs(value - expected) <= later, "\(name): \(value) instead of \(expected)")
      }
    }
  }
}
