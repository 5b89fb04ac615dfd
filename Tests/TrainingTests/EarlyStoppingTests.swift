import Foundation
import Testing

@Suite("Early stopping")
struct EarlyStoppingTests {
  private func end(_ options: [String], ranks: Int = 1) throws -> String {
    let run = try LoopRun("loops", ranks, options: ["epochs=8", "train=8"] + options).succeeded()
    return try #require(run.events(0, "train end").first).replacingOccurrences(of: "train end ", with: "")
  }

  @Test(
    "When it stops",
    arguments: [
      // Three checks without an improvement, and what counts as one.
      ("scores=3,2,2,2,2,1", [], "epoch=5 step=10 stopped=4 wait=3 best=2.0"),
      ("scores=3,2,2,2,2,1", ["patience=1"], "epoch=3 step=6 stopped=2 wait=1 best=2.0"),
      ("scores=3,2,2,2,2,1", ["patience=0"], "epoch=3 step=6 stopped=2 wait=1 best=2.0"),
      ("scores=3,2,4,1,5,5,5", [], "epoch=7 step=14 stopped=6 wait=3 best=1.0"),
      ("scores=3,2.5,2,1.5,1", ["early-delta=0.5"], "epoch=8 step=16 stopped=7 wait=3 best=1.0"),
      ("scores=1,2,3,3,2,3", ["early-mode=max"], "epoch=6 step=12 stopped=5 wait=3 best=3.0"),
      ("scores=8,7,6,5,4,3,2,1", [], "epoch=8 step=16 stopped=0 wait=0 best=1.0"),
      // Thresholds are passed, not only reached.
      ("scores=3,2,1,0", ["early-threshold=1"], "epoch=4 step=8 stopped=3 wait=0 best=1.0"),
      ("scores=3,2,4,5", ["divergence=4"], "epoch=4 step=8 stopped=3 wait=1 best=2.0"),
      ("scores=1,2,3,0", ["early-mode=max", "divergence=1"], "epoch=4 step=8 stopped=3 wait=0 best=3.0"),
      // Numbers that are none.
      ("scores=3,2,nan", [], "epoch=3 step=6 stopped=2 wait=0 best=2.0"),
      ("scores=3,2,inf", [], "epoch=3 step=6 stopped=2 wait=0 best=2.0"),
      ("scores=nan,2,1,1,1,1", ["check-finite=no"], "epoch=6 step=12 stopped=5 wait=3 best=1.0"),
      ("scores=inf,inf,inf", ["check-finite=no"], "epoch=3 step=6 stopped=2 wait=3 best=nan"),
      // The sanity check does not count: its score is not a number.
      ("scores=3,2,1", ["sanity=2"], "epoch=6 step=12 stopped=5 wait=3 best=1.0"),
    ])
  func stopping(scores: String, options: [String], expected: String) throws {
    #expect(try end([scores, "early=score"] + options) == expected)
  }

  @Test("Judging after every validation inside the epoch, or at its end alone")
  func moment() throws {
    let options = ["scores=1", "early=score", "patience=2", "interval=1", "train=16"]
    #expect(try end(options) == "epoch=0 step=3 stopped=0 wait=2 best=1.0")
    #expect(try end(options + ["on-train-end=yes"]) == "epoch=3 step=12 stopped=2 wait=2 best=1.0")
    // Without validation the end of the epoch is left.
    let own = ["early=train/loss_epoch", "epoch-loss", "val=-1", "interval=0.5", "early-threshold=100"]
    #expect(try end(own) == "epoch=1 step=2 stopped=0 wait=0 best=nan")
  }

  @Test("A metric that is missing")
  func missing() throws {
    let run = try LoopRun("loops", 1, "epochs=2", "early=loss")
    #expect(run.probe.status == 1)
    #expect(
      run.failure.contains(
        "EarlyStopping watches 'loss', which was not logged; log it, or name one of train/loss, val/loss, val/samples; "
          + "strict: false passes over a missing metric"))
    #expect(try end(["early=loss", "strict=no"]) == "epoch=8 step=16 stopped=0 wait=0 best=nan")
    let pair = try LoopRun("loops", 2, "epochs=2", "early=loss")
    #expect(pair.failure.contains("EarlyStopping watches 'loss'"))
  }

  @Test("The count of checks goes on after resuming")
  func resuming() throws {
    let options = ["scores=3,2,2,2,2,2", "early=score", "train=8"]
    let first = try LoopRun("loops", options: options + ["epochs=3", "checkpoints=yes"]).succeeded()
    #expect(first.events(0, "train end") == ["train end epoch=3 step=6 stopped=0 wait=1 best=2.0"])
    let rest = ["epochs=9", "resume=\(first.path)/checkpoints/last.ckpt"]
    let run = try LoopRun("loops", options: options + rest).succeeded()
    #expect(run.events(0, "train end") == ["train end epoch=5 step=10 stopped=4 wait=3 best=2.0"])
  }

  @Test("A module's callback takes the place of the trainer's of the same type, for its run")
  func ofModule() throws {
    let run = try LoopRun(
      "loops", 1, "epochs=8", "early=nothing", "scores=1", "own-patience=2", "report-callbacks", "train=4"
    ).succeeded()
    #expect(run.events(0, "callbacks") == [#"callbacks ["LoopRecorder", "EarlyStopping"]"#])
    #expect(run.events(0, "train end") == ["train end epoch=3 step=3 stopped=2 wait=2 best=1.0"])
  }

  @Test("It sees what the module logs at the end of an epoch")
  func afterModule() throws {
    #expect(
      try end(["early=own", "own-scores=3,2,2,2", "patience=2"]) == "epoch=4 step=8 stopped=3 wait=2 best=2.0")
  }
}
