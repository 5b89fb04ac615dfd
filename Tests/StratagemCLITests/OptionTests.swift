import ArgumentParser
import Stratagem
import Testing

@testable import StratagemCLI

@Suite("Flags and what they mean")
struct OptionTests {
  private func load(_ arguments: [String] = []) throws -> RunConfiguration<NoHyperParameters> {
    try Configured.load(ProbeCommand.self, arguments).values
  }

  @Test("without flags the program's defaults hold")
  func defaults() throws {
    let values = try load()
    #expect(values.dataSettings(.fit) == DataSettings(stage: .fit, batchSize: 12, shuffle: true))
    #expect(values.dataSettings(.test) == DataSettings(stage: .test, batchSize: 12))
    #expect(values.trainer.duration == .epochs(7))
    #expect(values.trainer.maxSteps == nil)
    let optimizer = values.optimizerSettings
    #expect(optimizer.kind == .sgd)
    #expect(optimizer.learningRate == 0.25)
    #expect(optimizer.momentum == 0.5)
    #expect(optimizer.weightDecay == 0)
    #expect(optimizer.schedule == .none)
  }

  @Test("flags reach the data")
  func dataFlags() throws {
    let values = try load([
      "--data", "a.csv", "--batch-size", "3", "--seed", "18446744073709551615", "--no-shuffle",
    ])
    #expect(values.dataSettings(.fit) == DataSettings(stage: .fit, path: "a.csv", batchSize: 3, seed: .max))
  }

  @Test("flags reach the trainer")
  func trainerFlags() throws {
    let trainer = try load([
      "--strategy", "ddp", "--accelerator", "cpu", "--devices", "0,2", "--num-nodes", "2", "--precision", "64",
      "--output", "out", "--progress", "silent", "--accumulate", "3", "--clip-norm", "0.5", "--clip-value", "2",
    ]).trainer
    #expect(trainer.strategy.name == "ddp")
    #expect(trainer.accelerator == "cpu")
    #expect(trainer.devices.value == .text("0,2"))
    #expect(trainer.numNodes == 2)
    #expect(trainer.precision == "64")
    #expect(trainer.output == "out")
    #expect(trainer.progress?.value == .silent)
    #expect(trainer.accumulate == 3)
    #expect(trainer.clipNorm == 0.5)
    #expect(trainer.clipValue == 2)
  }

  @Test("one limit of training replaces the default of the other")
  func limits() throws {
    let steps = try load(["--max-steps", "5"]).trainer
    #expect(steps.duration == nil)
    #expect(steps.maxSteps == 5)
    let both = try load(["--max-steps", "5", "--epochs", "2"]).trainer
    #expect(both.duration == .epochs(2))
    #expect(both.maxSteps == 5)
  }

  @Test(
    "another optimizer starts from its usual learning rate and weight decay",
    arguments: [
      (["--optimizer", "adamw"], 1e-3, 1e-2), (["--optimizer", "adam"], 1e-3, 0),
      (["--optimizer", "AdamW", "--lr", "0.5", "--weight-decay", "0"], 0.5, 0), (["--weight-decay", "0.1"], 0.25, 0.1),
    ])
  func optimizers(_ flags: [String], _ learningRate: Double, _ weightDecay: Double) throws {
    let settings = try load(flags).optimizerSettings
    #expect(settings.learningRate == learningRate)
    #expect(settings.weightDecay == weightDecay)
  }

  @Test("the best checkpoint is chosen by the program's metric")
  func checkpoints() throws {
    let callback = try #require(try load(["--checkpoint-every-steps", "9"]).modelCheckpoint(in: "out"))
    #expect(callback.directory == "out")
    #expect(callback.monitor == "val/accuracy")
    #expect(callback.mode == .maximum)
    #expect(callback.everySteps == 9)
    #expect(try load(["--no-checkpoints"]).modelCheckpoint(in: "out") == nil)
  }

  @Test(
    "a number out of range is refused by the name of its flag",
    arguments: [
      ("--epochs", "0"), ("--max-steps", "-1"), ("--accumulate", "0"), ("--checkpoint-every-steps", "0"),
      ("--lr", "-0.1"), ("--lr", "nan"), ("--momentum", "-1"), ("--weight-decay", "inf"), ("--clip-norm", "0"),
      ("--clip-value", "-2"), ("--batch-size", "0"), ("--num-nodes", "0"),
    ])
  func outOfRange(_ flag: String, _ value: String) throws {
    let problems = Configured.problems(ProbeCommand.self, [flag, value])
    #expect(problems.count == 1)
    #expect(try #require(problems.first).hasPrefix("\(flag) is "))
  }

  @Test("all numbers out of range are named at once")
  func allProblems() {
    #expect(
      Configured.problems(ProbeCommand.self, ["--epochs", "-3", "--clip-norm", "-1"]) == [
        "--epochs is -3; give a whole number of 1 or more", "--clip-norm is -1.0; give a number above 0",
      ])
  }

  @Test("a misspelt name is answered with the known ones")
  func misspelt() {
    func message(_ arguments: [String]) -> String { Configured.problems(ProbeCommand.self, arguments).joined() }
    #expect(
      message(["--optimizer", "adamww"]).contains(
        "no optimizer named 'adamww'; did you mean 'adamw'? known: adamw, adam, sgd"))
    #expect(message(["--schedule", "cosin"]).contains("known: cosine, none, step"))
    #expect(message(["--progress", "x"]).contains("no progress mode named 'x'"))
    #expect(message(["--epohcs", "3"]).contains("Unknown option '--epohcs'. Did you mean '--epochs'?"))
    #expect(message(["fast"]).contains("Unexpected argument 'fast'"))
  }

  @Test("each verb is found", arguments: ["fit", "validate", "test", "predict"])
  func verbs(_ verb: String) throws {
    let command = try ProbeCommand.parseAsRoot([verb, "--devices", "-1", "--trainer.numNodes", "2"])
    #expect("\(type(of: command))".lowercased().hasPrefix(verb))
  }
}
