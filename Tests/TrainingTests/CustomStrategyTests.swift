import Foundation
import Testing

@Suite("Strategies of one's own")
struct CustomStrategyTests {
  private func fit(_ strategy: String, _ devices: Int, _ options: String...) throws -> ProgramRun {
    let folder = try TemporaryFolder()
    return try ProgramRun(
      "custom-strategy",
      ["fit", "--strategy", strategy, "--devices", "\(devices)", "--output", folder.path, "--json"] + options
    ).succeeded()
  }

  @Test("A wrapper of its own gives the same numbers as ddp", arguments: [1, 2, 3])
  func wrapper(ranks: Int) throws {
    let own = try fit("averaged_ddp", ranks).json()
    let ddp = try fit("ddp", ranks).json()
    #expect(own["val/accuracy"]?.number == ddp["val/accuracy"]?.number)
    #expect(try #require(own["val/accuracy"]?.number) > 0.95)
  }

  @Test("A subclass of Strategy sees every step")
  func subclass() throws {
    let run = try fit("timed", 1, "--epochs", "2")
    // 600 samples in batches of 32, twice.
    #expect(run.output.contains("timed: 38 steps, "))
  }

  @Test("Plugin objects are used, and the plan names them")
  func plugins() throws {
    let run = try fit("bf16_ddp", 2)
    #expect(run.output.contains("bf16_ddp: the parameters become bfloat16"))
    #expect(run.errors.contains("precision bf16-true"))
    #expect(run.outputLines.last?.contains("\"val/accuracy\"") == true)
  }

  @Test("A plugin in the strategy and the same in the trainer are a conflict")
  func conflict() throws {
    let run = try ProgramRun("custom-strategy", ["fit", "--strategy", "bf16_ddp", "--precision", "32"])
    #expect(run.status != 0)
    #expect(run.errors.contains("precision is set both in strategy"))
  }
}
