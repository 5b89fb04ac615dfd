import Foundation
import Testing

/// The whole sequence of calls is compared with a text in `Golden`; `STRATAGEM_WRITE_GOLDEN=1` writes the texts anew.
@Suite("The order of calls")
struct HookTests {
  private static let isWriting = ProcessInfo.processInfo.environment["STRATAGEM_WRITE_GOLDEN"] != nil

  /// Compares the calls of a rank with a text; `differences` are applied to the text first.
  private func expect(
    _ calls: String, equalGolden name: String, sourceLocation: SourceLocation = #_sourceLocation
  ) throws {
    let path = "\(Repository.root)/Tests/TrainingTests/Golden/\(name).txt"
    if Self.isWriting { try Data(calls.utf8).write(to: URL(filePath: path)) }
    let golden = try String(contentsOfFile: path, encoding: .utf8)
    guard calls != golden else { return }
    let (own, known) = (calls.split(separator: "\n"), golden.split(separator: "\n"))
    let line =
      zip(own, known).enumerated().first { $0.element.0 != $0.element.1 }?.offset ?? min(own.count, known.count)
    Issue.record(
      """
      the calls differ from Golden/\(name).txt from line \(line + 1) on:
      expected \(line < known.count ? String(known[line]) : "the end")
      found    \(line < own.count ? String(own[line]) : "the end")
      """, sourceLocation: sourceLocation)
  }

  /// The calls without those of a strategy, which only the recorded ones tell.
  private func withoutStrategy(_ golden: String) -> String {
    golden.split(separator: "\n").filter { !$0.hasPrefix("strategy ") }.map { $0 + "\n" }.joined()
  }

  private static let stages = ["epochs=2", "sanity=1", "schedule=step", "hooks"]

  private func runStages(_ ranks: Int, _ strategy: String) throws -> ProbeRun {
    try ProbeRun(
      "stages", ranks, options: Self.stages + ["train=\(8 * ranks)", "val=\(8 * ranks)", "strategy=\(strategy)"]
    ).succeeded()
  }

  @Test(
    "fit with validation, validate, test and predict, with the calls of the strategy",
    arguments: ["ddp", "spawn", "fork"])
  func stages(start: String) throws {
    let run = try runStages(2, "recorded-\(start)")
    try expect(run.folder.text("hooks.0"), equalGolden: "stages")
    // Data are prepared once a node.
    let other = run.folder.text("hooks.0").split(separator: "\n").filter { !$0.hasSuffix(" prepareData") }
    #expect(run.folder.text("hooks.1").split(separator: "\n") == other)
  }

  @Test(
    "The same calls of callbacks and module under every strategy",
    arguments: [
      (1, "single_device"), (1, "ddp"), (2, "ddp"), (3, "ddp"), (2, "ddp_spawn"), (2, "ddp_fork"),
      (2, "ddp_find_unused_parameters_true"), (1, "dp"), (1, "ddp2"),
    ])
  func everyStrategy(ranks: Int, strategy: String) throws {
    let golden = try String(
      contentsOfFile: "\(Repository.root)/Tests/TrainingTests/Golden/stages.txt", encoding: .utf8)
    let run = try runStages(ranks, strategy)
    #expect(run.folder.text("hooks.0") == withoutStrategy(golden))
  }

  @Test("Accumulated batches zero the gradients once and step once")
  func accumulation() throws {
    let options = ["epochs=1", "train=24", "val=-1", "accumulate=2", "hooks", "strategy=recorded-ddp"]
    let run = try ProbeRun("fit", 2, options: options).succeeded()
    try expect(run.folder.text("hooks.0"), equalGolden: "accumulation")
  }

  @Test("Resuming loads before training, and begins with the batch that comes next")
  func resuming() throws {
    let first = try ProbeRun("fit", 2, "steps=1", "train=16", "val=-1").succeeded()
    let checkpoint = "resume=\(first.folder.path)/checkpoints/last.ckpt"
    let run = try ProbeRun("fit", 2, "epochs=1", "train=16", "val=-1", checkpoint, "hooks", "strategy=recorded-ddp")
      .succeeded()
    try expect(run.folder.text("hooks.0"), equalGolden: "resuming")
  }

  @Test("After a failure everything is torn down and the callbacks hear of it", arguments: ["ddp", "spawn", "fork"])
  func failure(start: String) throws {
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "train=16", "fault=throw", "at=1", "rank=0", "hooks", "strategy=recorded-\(start)")
    #expect(run.status == 1)
    // A process of its own ends with its report; only the one that goes on has something to tear down.
    let end = start == "ddp" ? "" : "strategy tearDown\n"
    try expect(run.folder.text("hooks.0") + end, equalGolden: "failure")
  }

  @Test("A failure in validation", arguments: ["ddp", "ddp_spawn", "ddp_fork"])
  func failureInValidation(strategy: String) throws {
    let run = try ProbeRun(
      "fit", 2, "epochs=1", "val=16", "fault=throw-in-validation", "at=1", "rank=1", "hooks", "strategy=\(strategy)")
    #expect(run.status == 1)
    #expect(run.run.errors.contains("rank 1 failed: the user's validation fails at batch 1"))
    let hooks = run.folder.text("hooks.1").split(separator: "\n").map(String.init)
    #expect(hooks.suffix(4).contains("module teardown fit"))
    #expect(hooks.last == "callback onException the user's validation fails at batch 1")
  }
}
