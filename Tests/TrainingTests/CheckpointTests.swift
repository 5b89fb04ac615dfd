import Foundation
import Testing
import Torch

@Suite("Checkpoints of a run")
struct CheckpointTests {
  /// Lightning's keys in its order, then ours.
  static let keys = [
    "epoch", "global_step", "pytorch-lightning_version", "state_dict", "loops", "callbacks", "optimizer_states",
    "lr_schedulers", "hparams_name", "hyper_parameters", "stratagem",
  ]

  @Test("The dictionary of Lightning's checkpoints", arguments: [1, 2])
  func dictionary(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=2", "train=16", "lr=0.05", "schedule=step").succeeded()
    let checkpoint = try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt")
    #expect(checkpoint.contents.keys == Self.keys.map { .string($0) })
    #expect(checkpoint.step == 8 / ranks)
    #expect(checkpoint.epoch == 1)
    #expect(try checkpoint.weights().map(\.name) == ["fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"])
    let hyperParameters = checkpoint.contents["hyper_parameters"]?.dictionaryValue
    #expect(hyperParameters?["learning_rate"]?.doubleValue == 0.05)
    let group = checkpoint.contents["optimizer_states"]?.listValue?.first?.dictionaryValue?["param_groups"]?.listValue?
      .first?.dictionaryValue
    #expect(group?["lr"]?.doubleValue == 0.05 / 4)
    #expect(group?["initial_lr"]?.doubleValue == 0.05)
    #expect(run.folder.names() == ["checkpoints", "hparams.yaml", "metrics.csv"])
    #expect(run.folder.text("hparams.yaml") == "learning_rate: 0.05\n")
    #expect(run.folder.names(in: "checkpoints") == ["last.ckpt"])
  }

  @Test("The best are kept and the others removed, also after resuming")
  func best() throws {
    let options = ["monitor=train/sum_epoch", "keep=2", "train=23", "shuffle", "drop-last", "batch=6", "epochs=4"]
    let run = try ProbeRun("fit", 1, options: options).succeeded()
    try check(run, epochs: 4, stepsPerEpoch: 3, keep: 2)
    let resumed = try ProbeRun(
      "fit", 1,
      options: options.dropLast() + ["epochs=7", "resume=\(run.folder.path)/checkpoints/last.ckpt"],
      folder: run.folder
    ).succeeded()
    try check(resumed, epochs: 7, stepsPerEpoch: 3, keep: 2)
  }

  private func check(_ run: ProbeRun, epochs: Int, stepsPerEpoch: Int, keep: Int) throws {
    let scores = try run.metrics.values("train/sum_epoch")
    try #require(scores.count == epochs && Set(scores).count == epochs, "the epochs differ")
    let best = scores.enumerated().sorted { $0.element > $1.element }.prefix(keep).map(\.offset)
    let names = best.map { "epoch=\($0)-step=\(($0 + 1) * stepsPerEpoch).ckpt" }
    #expect(run.folder.names(in: "checkpoints") == (names + ["last.ckpt"]).sorted())
    let state = try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").contents["callbacks"]?.dictionaryValue?[
      "ModelCheckpoint{'monitor': 'train/sum_epoch', 'mode': 'max', 'every_n_train_steps': 0, 'every_n_epochs': 1, "
        + "'train_time_interval': None}"]?.dictionaryValue
    #expect(state?["best_model_path"]?.stringValue == "\(run.folder.path)/checkpoints/\(names[0])")
    #expect(try state?["best_model_score"]?.tensorValue?.scalar() == scores[best[0]])
  }

  @Test("Checkpoints in the middle of an epoch, for the run that fails", arguments: [1, 2])
  func everySteps(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "every-steps=2", "train=40", "epochs=1", "fault=throw", "at=3", "rank=0")
    #expect(run.status == 1)
    #expect(try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt").step == 2)
    let path = "\(run.folder.path)/checkpoints/last.ckpt"
    let rest = try ProbeRun("fit", ranks, "train=40", "epochs=1", "resume=\(path)").succeeded()
    let whole = try ProbeRun("fit", ranks, "train=40", "epochs=1").succeeded()
    #expect(rest.weightSums == whole.weightSums)
  }

  @Test("A monitored metric that only some ranks saw does not keep the ranks apart")
  func monitorWithFewSamples() throws {
    let run = try ProbeRun("fit", 3, "monitor=val/accuracy", "val=1", "epochs=2", "train=24", "schedule=plateau")
      .succeeded()
    #expect(Set(run.weightSums).count == 1)
    #expect(run.folder.names(in: "checkpoints") == ["epoch=0-step=2.ckpt", "last.ckpt"])
  }

  @Test(
    "PyTorch opens it, and goes on from it",
    .enabled(
      if: Repository.python != nil, "there is no Python with PyTorch; `Tests/Reference/generate` sets it up"),
    arguments: ["sgd", "adamw"])
  func opensInPython(optimizer: String) throws {
    let folder = try TemporaryFolder()
    try ProgramRun(
      "digits",
      [
        "fit", "--weights", Repository.reference("w1.safetensors"), "--optimizer", optimizer, "--lr", "0.01",
        "--schedule", "step", "--max-steps", "50", "--devices", "2", "--output", folder.path, "--json",
      ]
    ).succeeded()
    let report = try Python.checkCheckpoint("\(folder.path)/last.ckpt")
    #expect(report.globalStep == 50)
    #expect(report.epoch == 2)
    #expect(report.keys == Self.keys)
    #expect(report.optimizer == (optimizer == "sgd" ? "SGD" : "AdamW"))
    #expect(report.learningRate == 0.01 / 4)
    let moments = optimizer == "sgd" ? ["momentum_buffer"] : ["exp_avg", "exp_avg_sq", "step"]
    #expect(report.optimizerState == ["0": moments, "1": moments, "2": moments, "3": moments])
    #expect(report.lossAfterStep < report.loss)
    for (name, values) in try CheckpointFile("\(folder.path)/last.ckpt").weights() {
      #expect(Array(values.prefix(4)) == report.weights[name]?.first)
    }
  }
}
