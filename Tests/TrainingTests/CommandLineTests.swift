import Foundation
import Testing

@Suite("What a program prints")
struct CommandLineTests {
  @Test("A table and the paths for people; only the JSON on standard output on request")
  func results() throws {
    let folder = try TemporaryFolder()
    let common = ["--output", folder.path, "--devices", "2", "--epochs", "2"]
    let people = try ProgramRun("digits", ["fit"] + common).succeeded()
    #expect(people.output.contains("val/accuracy") && people.output.contains("val/loss"))
    #expect(people.output.contains("last checkpoint  \(folder.path)/last.ckpt\n"))
    #expect(people.output.contains("metrics          \(folder.path)/metrics.csv\n"))
    #expect(people.errorLines.first?.hasPrefix("ddp on 2 processes (cpu, 1 thread each), precision 32-true") == true)
    let machines = try ProgramRun("digits", ["fit", "--json"] + common).succeeded()
    let json = try machines.json()
    #expect(
      Set(json.keys) == [
        "val/loss", "val/accuracy", "samples", "seconds", "steps_per_second", "steps", "epochs", "checkpoint",
        "metrics",
      ])
    #expect(json["samples"]?.number == 297)
    #expect(json["steps"]?.number == 46)
    // An older run's metrics are kept aside.
    #expect(folder.names().contains("previous-metrics.csv"))
  }

  @Test("Steps before a resume do not count, wherever the ranks are", arguments: ["ddp", "ddp_sharded_spawn"])
  func resumed(strategy: String) throws {
    let folder = try TemporaryFolder()
    let common = ["fit", "--strategy", strategy, "--devices", "2", "--output", folder.path, "--max-steps"]
    try ProgramRun("digits", common + ["20"]).succeeded()
    let rest = try ProgramRun("digits", common + ["26", "--resume", "last"]).succeeded()
    #expect(rest.output.contains("\n6 steps in "), "\(rest.output)")
  }

  @Test("validate and test say the same, exactly")
  func evaluation() throws {
    let weights = ["--weights", Repository.reference("w1.safetensors"), "--json"]
    let results = try ["validate", "test"].map { verb in
      try ProgramRun("digits", [verb, "--devices", "2"] + weights).succeeded().json()
    }
    #expect(results[0]["val/loss"]?.number == results[1]["val/loss"]?.number)
    #expect(results[0]["val/accuracy"]?.number == results[1]["val/accuracy"]?.number)
    #expect(results.allSatisfy { $0["samples"]?.number == 297 })
  }

  @Test("Training reaches 90 %")
  func accuracy() throws {
    let folder = try TemporaryFolder()
    let run = try ProgramRun("digits", ["fit", "--devices", "2", "--output", folder.path, "--json"]).succeeded()
    #expect(try #require(try run.json()["val/accuracy"]?.number) >= 0.9)
  }
}
