import Foundation
import Testing

@Suite("What ends or shortens a fit")
struct FitLimitTests {
  private func end(_ options: String..., ranks: Int = 1) throws -> [String] {
    try LoopRun("loops", ranks, options: options + ["val=-1"]).succeeded().events(0, "train end")
  }

  @Test("A request to stop waits for the least number of epochs and steps")
  func leastTraining() throws {
    #expect(try end("epochs=3", "stop-at=0:1") == ["train end epoch=0 step=2"])
    #expect(try end("epochs=3", "stop-at=0:1", "min-epochs=2") == ["train end epoch=2 step=12"])
    #expect(try end("epochs=3", "stop-at=0:1", "min-steps=4") == ["train end epoch=0 step=4"])
    #expect(try end("epochs=3", "stop-at=0:1", "min-steps=4", "min-epochs=1") == ["train end epoch=1 step=6"])
    #expect(try end("epochs=1", "stop-at=0:1", "min-steps=9") == ["train end epoch=1 step=6"])
    #expect(try end("epochs=3", "stop-at=0:0", ranks: 2) == ["train end epoch=0 step=1"])
  }

  @Test("The rest of an epoch is skipped")
  func skipping() throws {
    #expect(try end("epochs=2", "skip-before=0:2") == ["train end epoch=2 step=8"])
    #expect(try end("epochs=2", "skip-after=0:2") == ["train end epoch=2 step=9"])
    // Before the second window is complete: its gradients are dropped.
    #expect(try end("epochs=2", "skip-before=0:3", "accumulate=2") == ["train end epoch=2 step=4"])
  }

  @Test("No time is left", arguments: [1, 2])
  func noTime(ranks: Int) throws {
    #expect(try end("epochs=3", "max-time=0", ranks: ranks) == ["train end epoch=0 step=0"])
  }

  @Test("Time ends a fit on all ranks after the same step")
  func time() throws {
    let run = try LoopRun("loops", 2, "epochs=10000", "max-time=1", "slow", "val=-1").succeeded()
    #expect(run.events(0, "train end") == run.events(1, "train end"))
    #expect(!run.events(0, "batch").isEmpty)
  }

  @Test("Overfitting trains and validates on the same first batches, unshuffled")
  func overfitting() throws {
    let run = try LoopRun("loops", 1, "epochs=2", "overfit=2", "shuffle", "samples", "val-batches").succeeded()
    #expect(try run.samples() == [[0, 1, 2, 3], [4, 5, 6, 7], [0, 1, 2, 3], [4, 5, 6, 7]])
    #expect(
      run.events(0, "validation batch") == ["validation batch 0:0", "validation batch 0:1"] + [
        "validation batch 0:0", "validation batch 0:1",
      ])
    let share = try LoopRun("loops", 2, "epochs=1", "overfit=0.5", "shuffle=9", "samples", "batch=2").succeeded()
    #expect(try share.samples(1) == [[1, 3], [5, 7], [9, 11]])
  }

  @Test("A dry run tries everything and leaves no file", arguments: [1, 2])
  func dryRun(ranks: Int) throws {
    let run = try LoopRun(
      "loops", ranks, "dry-run=1", "stages=fit,validate,test,predict", "early=nothing", "own-checkpoint", "sanity=2",
      "val=16", "interval=0.5", "report-callbacks", "min-epochs=7", "epochs=9"
    ).succeeded()
    #expect(
      run.events(0).filter { !$0.hasPrefix("metric") } == [
        "epoch 0 accumulate=1", "batch 0 step=1", "validation epoch=0 batch=1", "epoch end step=1",
        "train end epoch=1 step=1", #"callbacks ["LoopRecorder"]"#, "validation epoch=1 batch=0", "test batch 0:0",
        "predict batch 0",
      ])
    let names = Set(run.probe.folder.names())
    #expect(names == (ranks == 1 ? ["events.0"] : ["events.0", "events.1"]))
  }

  @Test("A dry run of manual optimization runs all its batches")
  func manualDryRun() throws {
    let run = try LoopRun("gan", 1, "dry-run=2", "val=-1").succeeded()
    #expect(run.events(0, "batch") == ["batch 0 step=2", "batch 1 step=4"])
  }

  @Test("A negative dry run")
  func negativeDryRun() throws {
    let run = try LoopRun("loops", 1, "dry-run=-1")
    #expect(run.failure.contains("fastDevRun: -1 is a negative number of batches"))
  }

  @Test("Loaders are asked for again in every so many epochs")
  func reloading() throws {
    let run = try LoopRun("loops", 1, "epochs=4", "reload=2", "train=4", "samples", "val=-1").succeeded()
    #expect(try run.samples() == [[0, 1, 2, 3], [0, 1, 2, 3], [100, 101, 102, 103], [100, 101, 102, 103]])
  }

  @Test("Limits of every stage")
  func limits() throws {
    let run = try LoopRun(
      "loops", 1, "epochs=1", "limit-train=2", "limit-val=1", "limit-test=0.5", "limit-predict=1", "val=16",
      "stages=fit,test,predict", "val-batches"
    ).succeeded()
    #expect(
      run.events().filter { $0.contains("batch ") && !$0.hasPrefix("validation epoch") } == [
        "batch 0 step=1", "batch 1 step=2", "validation batch 0:0", "test batch 0:0", "test batch 0:1",
        "predict batch 0",
      ])
  }

  @Test(
    "Schedules that watch a metric advance with steps, after what they watch", arguments: ["train/loss", "val/loss"])
  func plateau(monitor: String) throws {
    let run = try LoopRun(
      "loops", 1, "epochs=1", "schedule=plateau", "monitor=\(monitor)", "rates", "interval=2",
      "frequency=\(monitor == "val/loss" ? 2 : 1)"
    ).succeeded()
    let rates = run.events(0, "batch").compactMap { $0.split(separator: "=").last.flatMap { Double($0) } }
    // No value is good enough, so every look halves the rate; what the event of a batch shows is before its validation.
    let expected =
      monitor == "val/loss"
      ? [0.1, 0.1, 0.05, 0.05, 0.025, 0.025] : [0.05, 0.05, 0.0125, 0.0125, 0.003125, 0.003125]
    #expect(rates == expected)
  }
}
