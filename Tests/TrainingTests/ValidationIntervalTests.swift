import Foundation
import Testing

@Suite("When validation runs")
struct ValidationIntervalTests {
  @Test(
    "Intervals",
    arguments: [
      (["epochs=2"], ["0:6", "1:6"]),
      (["epochs=1", "interval=0.5"], ["0:3", "0:6"]),
      (["epochs=1", "interval=0.4"], ["0:2", "0:4", "0:6"]),
      (["epochs=2", "interval=4"], ["0:4", "1:4"]),
      (["epochs=2", "interval=4", "every-epochs=nil"], ["0:4", "1:2", "1:6"]),
      (["epochs=3", "interval=7", "every-epochs=nil"], ["1:1", "2:2"]),
      (["epochs=5", "every-epochs=2"], ["1:6", "3:6"]),
      (["epochs=2", "every-epochs=2", "interval=0.5"], ["1:3", "1:6"]),
      (["epochs=1", "limit-train=4", "interval=0.5"], ["0:2", "0:4"]),
      (["epochs=1", "limit-val=0"], []),
      (["epochs=2", "interval=3", "skip-after=0:2"], ["0:3", "1:3", "1:6"]),
      (["epochs=1", "interval=3", "every-epochs=nil", "skip-before=0:3"], ["0:3"]),
      (["epochs=1", "skip-before=0:3"], ["0:3"]),
    ])
  func intervals(options: [String], expected: [String]) throws {
    let run = try LoopRun("loops", options: options).succeeded()
    #expect(
      run.events(0, "validation")
        == expected.map { place in
          let parts = place.split(separator: ":")
          return "validation epoch=\(parts[0]) batch=\(parts[1])"
        })
  }

  @Test(
    "Bad intervals",
    arguments: [
      (
        ["interval=7"],
        "validationInterval is 7 batches, but an epoch has 6; give at most 6, or validateEveryEpochs: nil"
      ),
      (["interval=0"], "validationInterval: 0 leaves no batch between validations"),
      (["interval=0.0"], "validationInterval: 0.0 leaves no batch between validations"),
      (["every-epochs=nil"], "validateEveryEpochs is nil, but validationInterval is all"),
      (["every-epochs=nil", "interval=0.5"], "validateEveryEpochs is nil, but validationInterval is 0.5"),
      (["every-epochs=0"], "validateEveryEpochs is 0; give at least 1"),
    ])
  func badIntervals(options: [String], message: String) throws {
    let run = try LoopRun("loops", options: options + ["epochs=1"])
    #expect(run.probe.status == 1)
    #expect(run.failure.contains(message), "\(run.failure)")
  }

  @Test("Validation inside an epoch leaves training and its means as they are", arguments: [1, 2])
  func undisturbed(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let options = ["epochs=2", "epoch-loss"]
    let plain = try LoopRun("loops", ranks, options: options + ["weights=\(folder.path)/plain"]).succeeded()
    let often = try LoopRun(
      "loops", ranks, options: options + ["interval=1", "weights=\(folder.path)/often"]
    ).succeeded()
    for name in ["train/loss_step", "train/loss_epoch"] {
      #expect(try often.probe.metrics.rows(name) == plain.probe.metrics.rows(name))
    }
    #expect(try often.probe.metrics.rows("val/loss").count == 12 / ranks)
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/plain"), CheckpointFile("\(folder.path)/often"))
    #expect(difference == 0)
  }

  @Test("A window of accumulated batches survives a validation inside it")
  func insideWindow() throws {
    let folder = try TemporaryFolder()
    let options = ["epochs=1", "accumulate=3"]
    try LoopRun("loops", options: options + ["val=-1", "weights=\(folder.path)/plain"]).succeeded()
    try LoopRun("loops", options: options + ["interval=1", "weights=\(folder.path)/often"]).succeeded()
    let difference = try largestDifference(
      CheckpointFile("\(folder.path)/plain"), CheckpointFile("\(folder.path)/often"))
    #expect(difference == 0)
  }

  @Test("The sanity check tries all loaders, keeps no metrics and restores the random state", arguments: ["-1", "1"])
  func sanityCheck(batches: String) throws {
    let run = try LoopRun("loops", 1, "epochs=1", "sanity=\(batches)", "draws", "val-batches", "loaders=2").succeeded()
    let events = run.events()
    let end = try #require(events.firstIndex { $0.hasPrefix("sanity check over") })
    let counts = batches == "1" ? [1, 1] : [2, 3]
    let tried = counts.enumerated().flatMap { loader, count in
      (0..<count).map { "validation batch \(loader):\($0)" }
    }
    #expect(
      Array(events.prefix(end + 3))
        == ["sanity check", "validation epoch=0 batch=0"] + tried
        + ["sanity check over, metrics []", "same random state", "restored true"])
    #expect(try run.probe.metrics.rows("val/loss/dataloader_idx_0").count == 1)
  }

  @Test("Several loaders have limits and metrics of their own")
  func severalLoaders() throws {
    let run = try LoopRun(
      "loops", 1, "epochs=1", "loaders=2", "stages=fit,validate,test", "limit-test=1"
    ).succeeded()
    #expect(run.events(0, "test batch") == ["test batch 0:0", "test batch 1:0"])
    let names = run.events(0, "metric").compactMap { $0.split(separator: " ").dropFirst().first.map(String.init) }
    let expected = ["loss", "samples"].flatMap { name in (0...1).map { "val/\(name)/dataloader_idx_\($0)" } }
    #expect(names == expected + expected)
    // The second loader has the samples of the first and four more.
    let values = run.events(0, "metric").compactMap { $0.split(separator: " ").last.flatMap { Double($0) } }
    #expect(values[2] != values[3])
  }
}
