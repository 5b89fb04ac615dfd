import Foundation
import Testing
import Torch

@Suite("Which checkpoints are kept, and under which names")
struct ModelCheckpointTests {
  private func state(_ run: ProbeRun, _ file: String = "last.ckpt", key: String) throws -> ArchiveDictionary {
    let checkpoint = try CheckpointFile("\(run.folder.path)/checkpoints/\(file)")
    let states = try #require(checkpoint.contents["callbacks"]?.dictionaryValue)
    return try #require(states[key]?.dictionaryValue, "\(states.keys)")
  }

  @Test("Names with metrics", arguments: [1, 2, 3])
  func names(ranks: Int) throws {
    let run = try ProbeRun(
      "fit", ranks, "epochs=2", "train=24", "monitor=val/loss", "mode=min", "keep=-1",
      "name={epoch:02d}-{val/loss:.3f}", "lr=0.5"
    ).succeeded()
    let losses = try run.metrics.values("val/loss").map { String(format: "%.3f", $0) }
    try #require(losses.count == 2)
    #expect(
      run.folder.names(in: "checkpoints")
        == (losses.enumerated().map { "epoch=0\($0.offset)-val_loss=\($0.element).ckpt" } + ["last.ckpt"]).sorted())
  }

  @Test("Files of another run stay: versions are counted", arguments: [1, 2])
  func versions(ranks: Int) throws {
    let options = ["epochs=1", "monitor=val/loss", "mode=min"]
    let first = try ProbeRun("fit", ranks, options: options).succeeded()
    let step = 6 / ranks
    let old = first.folder.bytes("checkpoints/last.ckpt")
    let second = try ProbeRun("fit", ranks, options: options + ["lr=0.01"], folder: first.folder).succeeded()
    #expect(
      second.folder.names(in: "checkpoints") == [
        "epoch=0-step=\(step)-v1.ckpt", "epoch=0-step=\(step).ckpt", "last-v1.ckpt", "last.ckpt",
      ])
    #expect(second.folder.bytes("checkpoints/last.ckpt") == old)
    let third = try ProbeRun(
      "fit", ranks, options: options + ["lr=0.02", "versions=no"], folder: first.folder
    ).succeeded()
    #expect(third.folder.names(in: "checkpoints").count == 4)
    #expect(third.folder.bytes("checkpoints/last.ckpt") != old)
  }

  @Test("Several callbacks, each with its own state")
  func several() throws {
    let run = try ProbeRun("fit", 2, "epochs=3", "monitor=val/loss", "mode=min", "second", "lr=0.3").succeeded()
    let names = run.folder.names(in: "checkpoints")
    #expect(names.filter { $0.hasPrefix("all-") } == ["all-epoch=0.ckpt", "all-epoch=1.ckpt", "all-epoch=2.ckpt"])
    #expect(names.filter { $0.hasPrefix("last") } == ["last-v1.ckpt", "last.ckpt"])
    let all = try state(
      run, "last-v1.ckpt",
      key: "ModelCheckpoint{'monitor': 'train/loss', 'mode': 'min', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
        + "'train_time_interval': None}")
    #expect(all["best_k_models"]?.dictionaryValue?.count == 3)
    let twice = try ProbeRun("fit", 1, "epochs=1", "monitor=train/loss", "mode=min", "second")
    #expect(twice.status == 1)
    #expect(twice.failure.contains("there are two ModelCheckpoint{'monitor': 'train/loss', 'mode': 'min'"))
  }

  @Test("Every so many steps, judged by a metric of the step; by one of the validation when it has run")
  func steps() throws {
    let trained = try ProbeRun(
      "fit", 1, "epochs=1", "train=24", "monitor=train/loss", "mode=min", "keep=2", "every-steps=2"
    ).succeeded()
    let losses = try trained.metrics.values("train/loss")
    let best = [2, 4, 6].sorted { losses[$0 - 1] < losses[$1 - 1] }.prefix(2).map { "epoch=0-step=\($0).ckpt" }
    #expect(trained.folder.names(in: "checkpoints") == (best + ["last.ckpt"]).sorted())
    let validated = try ProbeRun(
      "fit", 2, "epochs=2", "train=48", "monitor=val/loss", "mode=min", "keep=-1", "every-steps=4"
    ).succeeded()
    #expect(
      validated.folder.names(in: "checkpoints") == ["epoch=0-step=6.ckpt", "epoch=1-step=12.ckpt", "last.ckpt"])
  }

  @Test("After each of several validations of an epoch, and resumed from there", arguments: [1, 2])
  func validationInterval(ranks: Int) throws {
    let options = [
      "train=\(24 * ranks)", "epochs=2", "monitor=val/loss", "mode=min", "keep=-1", "validation-interval=2",
    ]
    let run = try ProbeRun("fit", ranks, options: options + ["dropout=0.3"]).succeeded()
    let steps = [2, 4, 6, 8, 10, 12]
    #expect(
      run.folder.names(in: "checkpoints")
        == (steps.map { "epoch=\($0 > 6 ? 1 : 0)-step=\($0).ckpt" } + ["last.ckpt"]).sorted())
    #expect(try run.metrics.rows("val/loss").map(\.step) == steps.map { $0 - 1 })
    for step in [4, 6] {
      let resumed = try ProbeRun(
        "fit", ranks,
        options: options + ["dropout=0.3", "resume=\(run.folder.path)/checkpoints/epoch=0-step=\(step).ckpt"]
      ).succeeded()
      #expect(resumed.weightSums == run.weightSums)
      let rows = try run.metrics.rows("train/sum_epoch")
      #expect(try resumed.metrics.rows("train/sum_epoch") == (step == 4 ? rows : Array(rows.dropFirst())))
    }
  }

  @Test("A metric that was never logged is an error that names those that were", arguments: [1, 2])
  func neverLogged(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=2", "monitor=val/los")
    #expect(run.status == 1)
    #expect(
      run.failure.hasPrefix(
        "ModelCheckpoint monitors 'val/los', which was never logged; known: train/loss, train/sum, train/sum_epoch, "
          + "train/sum_step, val/accuracy, val/loss"), "\(run.failure)")
    let later = try ProbeRun("fit", ranks, "epochs=2", "train=24", "monitor=val/loss", "validate-every=2").succeeded()
    #expect(later.folder.names(in: "checkpoints") == ["epoch=1-step=\(12 / ranks).ckpt", "last.ckpt"])
    #expect(later.run.errors.contains("monitors 'val/loss', which has not been logged yet"))
  }

  @Test("The state before a failure", arguments: [1, 2])
  func exception(ranks: Int) throws {
    let run = try ProbeRun(
      "fit", ranks, "epochs=1", "train=40", "monitor=val/loss", "on-exception", "fault=throw", "at=3", "rank=0")
    #expect(run.status == 1)
    #expect(run.folder.names(in: "checkpoints") == ["epoch=0-step=3.ckpt", "last.ckpt"])
    let rest = try ProbeRun(
      "fit", ranks, "epochs=1", "train=40", "resume=\(run.folder.path)/checkpoints/epoch=0-step=3.ckpt"
    ).succeeded()
    #expect(rest.weightSums == (try ProbeRun("fit", ranks, "epochs=1", "train=40").succeeded().weightSums))
  }

  @Test(
    "Where every rank holds a part, an error says that nothing can be saved, and what there is; a rank hangs for nobody",
    arguments: [("fsdp", 0), ("deepspeed_stage_1", 1), ("deepspeed_stage_3", 0)])
  func exceptionInParts(strategy: String, rank: Int) throws {
    let options = ["strategy=\(strategy)", "epochs=1", "train=40", "on-exception", "fault=throw", "rank=\(rank)"]
    let words = "note: the state before the failure cannot be saved: every rank holds a part of it, and after "
    let early = try ProbeRun("fit", 2, options: options + ["keep=1", "at=1"])
    #expect(early.status == 1 && early.failure.contains("the user's code fails at batch 1"))
    #expect(early.run.errors.contains(words), "\(early.run.errors)")
    #expect(early.run.errors.contains("; there is no earlier checkpoint"), "\(early.run.errors)")
    #expect(early.folder.names(in: "checkpoints").isEmpty)
    let late = try ProbeRun("fit", 2, options: options + ["every-steps=2", "at=3"])
    #expect(late.status == 1 && late.failure.contains("the user's code fails at batch 3"))
    #expect(late.run.errors.contains("; the newest checkpoint is \(late.folder.path)/checkpoints/last.ckpt"))
    #expect(try CheckpointFile("\(late.folder.path)/checkpoints/last.ckpt").step == 2)
  }

  @Test("Weights alone cannot be resumed, but evaluated")
  func weightsOnly() throws {
    let run = try ProbeRun("fit", 1, "epochs=1", "monitor=val/loss", "weights-only").succeeded()
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let keys = try CheckpointFile(path).contents.keys.map { "\($0)" }
    #expect(!keys.contains("'optimizer_states'") && !keys.contains("'callbacks'") && keys.contains("'state_dict'"))
    let resumed = try ProbeRun("fit", 1, "epochs=2", "resume=\(path)")
    #expect(resumed.failure.contains("it holds weights only"))
    try ProbeRun("validate", 1, "from=\(path)").succeeded()
  }

  @Test("All or the newest without a monitor, time, and settings that make no sense")
  func withoutMonitor() throws {
    let all = try ProbeRun("fit", 1, "epochs=2", "train=8", "keep=-1", "no-last").succeeded()
    #expect(all.folder.names(in: "checkpoints") == ["epoch=0-step=2.ckpt", "epoch=1-step=4.ckpt"])
    let newest = try ProbeRun("fit", 1, "epochs=2", "train=8", "no-last").succeeded()
    #expect(newest.folder.names(in: "checkpoints") == ["epoch=1-step=4.ckpt"])
    let timed = try ProbeRun("fit", 2, "epochs=1", "train=32", "keep=-1", "every-ms=1", "no-last", "slow").succeeded()
    #expect(timed.folder.names(in: "checkpoints").count == 4)
    let two = try ProbeRun("fit", 1, "epochs=1", "keep=2", "every-steps=1")
    #expect(two.failure.hasPrefix("keep: 2 without a monitor"))
    let template = try ProbeRun("fit", 1, "epochs=1", "monitor=val/loss", "name={epoch")
    #expect(template.failure.hasPrefix("the file name '{epoch' of a ModelCheckpoint has a brace"))
  }

  @Test(
    "`best` and `last`",
    arguments: [(1, "single_device"), (2, "ddp"), (3, "ddp"), (2, "ddp_spawn"), (2, "ddp_fork")])
  func words(ranks: Int, strategy: String) throws {
    let run = try ProbeRun(
      "words", ranks, "epochs=4", "train=24", "monitor=val/loss", "mode=min", "lr=1", "momentum=0.95",
      "strategy=\(strategy)"
    ).succeeded()
    let losses = try run.metrics.values("val/loss").prefix(4)
    let best = try #require(losses.min())
    try #require(best != losses[3], "the last is not the best")
    func value(_ word: String) -> Double? {
      run.run.outputLines.first { $0.hasPrefix(word + " ") }.flatMap { Double($0.dropFirst(word.count + 1)) }
    }
    #expect(abs(try #require(value("best")) - best) < 1e-6)
    #expect(abs(try #require(value("last")) - losses[3]) < 1e-6)
  }

  @Test("Words that stand for nothing")
  func wordsForNothing() throws {
    let none = try ProbeRun("validate", 1, "checkpoints=no", "from=best")
    #expect(
      none.failure.hasPrefix("validate is to start from the best checkpoint, but the trainer has no ModelCheckpoint"))
    let unmonitored = try ProbeRun("validate", 1, "from=best")
    #expect(unmonitored.failure.contains("its ModelCheckpoint monitors no metric"))
    let early = try ProbeRun("validate", 1, "monitor=val/loss", "from=best")
    #expect(early.failure.contains("has saved none yet"))
    let dry = try ProbeRun("validate", 1, "monitor=val/loss", "dry=1", "from=best")
    #expect(dry.failure.contains("a dry run writes none"))
    let hpc = try ProbeRun("validate", 1, "from=hpc")
    #expect(hpc.failure.contains("there is no hpc_ckpt_<n>.ckpt in"))
  }

  @Test("`last` takes the newest, and starts anew when there is none", arguments: [1, 2])
  func resumeFromLast(ranks: Int) throws {
    let options = ["train=24", "resume=last"]
    let first = try ProbeRun("fit", ranks, options: options + ["epochs=1"]).succeeded()
    #expect(first.run.errors.contains("there is none; it starts without, as in a first run"))
    let second = try ProbeRun("fit", ranks, options: options + ["epochs=2"], folder: first.folder).succeeded()
    #expect(second.folder.names(in: "checkpoints") == ["last.ckpt"])
    #expect(second.weightSums == (try ProbeRun("fit", ranks, "train=24", "epochs=2").succeeded().weightSums))
  }
}
