import ArgumentParser
import Stratagem
import Testing

@testable import StratagemCLI

@Suite("Flags and what they mean")
struct OptionTests {
  private typealias Options = RunOptions<ProbeCommand>
  private typealias Fit = FitOptions<ProbeCommand>

  @Test("without flags the program's defaults hold")
  func defaults() throws {
    let data = try Options.parse([]).dataSettings(.fit)
    #expect(data == DataSettings(stage: .fit, batchSize: 12))
    let fit = try Fit.parse([])
    #expect(fit.chosenEpochs == 7)
    #expect(fit.chosenMaxSteps == nil)
    let optimizer = fit.optimizerSettings
    #expect(optimizer.kind == .sgd)
    #expect(optimizer.learningRate == 0.25)
    #expect(optimizer.momentum == 0.5)
    #expect(optimizer.weightDecay == 0)
    #expect(optimizer.schedule == .none)
  }

  @Test("flags reach the data")
  func dataFlags() throws {
    let options = try Options.parse(["--data", "a.csv", "--batch-size", "3", "--seed", "18446744073709551615"])
    let expected = DataSettings(stage: .test, path: "a.csv", batchSize: 3, shuffle: true, seed: .max)
    #expect(options.dataSettings(.test, shuffle: true) == expected)
  }

  @Test("one limit of training replaces the default of the other")
  func limits() throws {
    let steps = try Fit.parse(["--max-steps", "5"])
    #expect(steps.chosenEpochs == nil)
    #expect(steps.chosenMaxSteps == 5)
    let both = try Fit.parse(["--max-steps", "5", "--epochs", "2"])
    #expect(both.chosenEpochs == 2)
    #expect(both.chosenMaxSteps == 5)
  }

  @Test(
    "another optimizer starts from its usual learning rate and weight decay",
    arguments: [
      (["--optimizer", "adamw"], 1e-3, 1e-2), (["--optimizer", "adam"], 1e-3, 0),
      (["--optimizer", "AdamW", "--lr", "0.5", "--weight-decay", "0"], 0.5, 0), (["--weight-decay", "0.1"], 0.25, 0.1),
    ])
  func optimizers(_ flags: [String], _ learningRate: Double, _ weightDecay: Double) throws {
    let settings = try Fit.parse(flags).optimizerSettings
    #expect(settings.learningRate == learningRate)
    #expect(settings.weightDecay == weightDecay)
  }

  @Test("the best checkpoint is chosen by the program's metric")
  func checkpoints() throws {
    let callback = try #require(try Fit.parse(["--checkpoint-every-steps", "9"]).modelCheckpoint(in: "out"))
    #expect(callback.directory == "out")
    #expect(callback.monitor == "val/accuracy")
    #expect(callback.mode == .maximum)
    #expect(callback.everySteps == 9)
    #expect(try Fit.parse(["--no-checkpoints"]).modelCheckpoint(in: "out") == nil)
  }

  @Test(
    "a number out of range is refused by the name of its flag",
    arguments: [
      ("--epochs", "0"), ("--max-steps", "-1"), ("--accumulate", "0"), ("--checkpoint-every-steps", "0"),
      ("--lr", "-0.1"), ("--lr", "nan"), ("--momentum", "-1"), ("--weight-decay", "inf"), ("--clip-norm", "0"),
      ("--clip-value", "-2"),
    ])
  func outOfRange(_ flag: String, _ value: String) {
    #expect(message { try Fit.parse([flag, value]) }.contains("\(flag) is "))
  }

  @Test("all numbers out of range are named at once")
  func allProblems() {
    let text = message { try Fit.parse(["--epochs", "-3", "--clip-norm", "-1"]) }
    #expect(text.contains("--epochs is -3; give a whole number of 1 or more"))
    #expect(text.contains("--clip-norm is -1.0; give a number above 0"))
    #expect(message { try Options.parse(["--batch-size", "0"]) }.contains("--batch-size is 0"))
  }

  @Test("a misspelt name is answered with the known ones")
  func misspelt() {
    let text = message { try Fit.parse(["--optimizer", "adamww"]) }
    #expect(text.contains("no optimizer named 'adamww'; did you mean 'adamw'? known: adamw, adam, sgd"))
    #expect(message { try Fit.parse(["--schedule", "cosin"]) }.contains("known: cosine, none, step"))
    #expect(message { try Options.parse(["--progress", "x"]) }.contains("no progress mode named 'x'"))
  }

  @Test("each verb is found", arguments: ["fit", "validate", "test", "predict"])
  func verbs(_ verb: String) throws {
    let command = try ProbeCommand.parseAsRoot([verb, "--devices", "-1"])
    #expect("\(type(of: command))".lowercased().hasPrefix(verb))
  }

  private func message(_ body: () throws -> some Any) -> String {
    do {
      _ = try body()
      return ""
    } catch {
      return Fit.fullMessage(for: error)
    }
  }
}
