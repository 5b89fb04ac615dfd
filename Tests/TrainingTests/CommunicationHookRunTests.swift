import Foundation
import Testing
import Torch

@Suite("Communication hooks, local SGD and divided optimizers in whole runs")
struct CommunicationHookRunTests {
  struct Learner: Sendable, CustomTestStringConvertible {
    let hook: String
    let options: String
    var testDescription: String { hook }
  }

  static let learners = [
    Learner(hook: "fp16_compress", options: ""), Learner(hook: "bf16_compress", options: ""),
    Learner(hook: "power_sgd", options: ", powerSGDRank: 2, hookStartStep: 10"),
    // A whole bucket as one matrix needs many columns: with 2 the run diverges, as in PyTorch.
    Learner(hook: "batched_power_sgd", options: ", powerSGDRank: 16, hookStartStep: 46"),
    Learner(hook: "quantize_per_tensor", options: ""),
    Learner(hook: "post_local_sgd", options: ", hookStartStep: 10, hookGroupSize: 1, modelAveragingPeriod: 4"),
  ]

  @Test("Digits are learnt with every hook", arguments: learners)
  func digits(learner: Learner) throws {
    let folder = try TemporaryFolder()
    try folder.write(
      """
      trainer:
        strategy: {name: ddp, communicationHook: \(learner.hook)\(learner.options)}
        devices: 2
      """, to: "hook.yaml")
    let run = try ProgramRun(
      "digits",
      [
        "fit", "--config", "\(folder.path)/hook.yaml", "--weights", Repository.reference("w1.safetensors"), "--epochs",
        "5",
        "--batch-size", "16", "--output", folder.path, "--json",
      ]
    ).succeeded()
    #expect(try #require(run.json()["val/accuracy"]?.number) > 0.88)
  }

  @Test("PowerSGD goes on from a checkpoint to the bit", arguments: ["powerSGD", "batchedPowerSGD"], [2, 3])
  func resume(hook: String, ranks: Int) throws {
    let options = ["train=48", "batch=4", "epochs=3", "hook=\(hook)", "bucket=0.0001"]
    let whole = try ProbeRun("fit", ranks, options: options).succeeded()
    let part = try ProbeRun("fit", ranks, options: options + ["steps=7"]).succeeded()
    let resume = "resume=\(part.folder.path)/checkpoints/last.ckpt"
    // Without what the hook keeps, the run goes on differently: the checkpoint is what makes the difference.
    let plain = try ProbeRun("fit", ranks, options: ["train=48", "batch=4", "epochs=3", resume]).succeeded()
    #expect(plain.weightSums != whole.weightSums)
    let rest = try ProbeRun("fit", ranks, options: options + [resume], folder: part.folder).succeeded()
    #expect(rest.weightSums == whole.weightSums)
    #expect(Set(rest.weightSums).count == 1 && rest.weightSums.count == ranks)
  }

  @Test("After local steps all ranks have the same model, which is validated and saved", arguments: [2, 3])
  func localSGD(ranks: Int) throws {
    let options = ["train=48", "batch=4", "epochs=2", "val=12"]
    let local = try ProbeRun("fit", ranks, options: options + ["hook=postLocalSGD", "group=1", "average=3"]).succeeded()
    #expect(local.weightSums.count == ranks && Set(local.weightSums).count == 1)
    let losses = try local.metrics.values("val/loss")
    let checkpoint = "\(local.folder.path)/checkpoints/last.ckpt"
    let evaluated = try ProbeRun("validate", ranks, options: options + ["from=\(checkpoint)"]).succeeded()
    let line = try #require(evaluated.run.outputLines.first { $0.contains("val/loss") })
    let loss = try #require(line.split(separator: " ").last.flatMap { Double($0) })
    #expect(abs(loss - (losses.last ?? .nan)) < 1e-6)
    // With all steps before the local ones it is ddp.
    let late = ["hook=postLocalSGD", "start-step=1000", "average=3", "group=1"]
    let ddp = try ProbeRun("fit", ranks, options: options).succeeded()
    // A hook divides by the number of ranks where ddp multiplies: the same for 2.
    if ranks == 2 {
      #expect(try ProbeRun("fit", ranks, options: options + late).succeeded().weightSums == ddp.weightSums)
    }
    #expect(local.weightSums != ddp.weightSums)
  }

  @Test(
    "A divided optimizer gives the same weights and state as the whole one", arguments: [1, 2, 3], ["copy", "view"])
  func zeroRedundancy(ranks: Int, memory: String) throws {
    let options = ["train=36", "batch=3", "epochs=2", "optimizer=adamw", "lr=0.01", "schedule=step"]
    let whole = try ProbeRun("fit", ranks, options: options).succeeded()
    let divided = try ProbeRun("fit", ranks, options: options + ["zero=\(memory)"]).succeeded()
    #expect(divided.weightSums == whole.weightSums && divided.weightSums.count == ranks)
    let states = try [whole, divided].map {
      let file = try CheckpointFile("\($0.folder.path)/checkpoints/last.ckpt")
      return try numbers(#require(file.contents["optimizer_states"]))
    }
    #expect(states[0] == states[1] && states[0].count > 2 * 67)

    // The checkpoint goes on on another number of ranks, and without the division.
    let part = try ProbeRun("fit", ranks, options: options + ["zero=\(memory)", "epochs=1"]).succeeded()
    let resume = "resume=\(part.folder.path)/checkpoints/last.ckpt"
    let plain = try ProbeRun("fit", ranks, options: options + [resume]).succeeded()
    #expect(plain.weightSums == whole.weightSums)
    let others = ranks == 3 ? 2 : ranks + 1
    let other = options.map { $0 == "batch=3" ? "batch=\(3 * ranks / others)" : $0 }
    if 3 * ranks % others == 0 {
      let found = try ProbeRun("fit", others, options: other + ["zero=\(memory)", resume]).succeeded()
      let expected = try ProbeRun("fit", others, options: other + [resume]).succeeded()
      #expect(found.weightSums == expected.weightSums && found.weightSums.count == others)
    }
  }

  /// All tensors, in order.
  private func numbers(_ value: ArchiveValue) throws -> [Double] {
    switch value {
    case .tensor(let tensor): try tensor.to(.float64).reshaped(-1).array(as: Double.self)
    case .list(let values), .tuple(let values): try values.flatMap { try numbers($0) }
    case .dictionary(let dictionary): try dictionary.flatMap { try numbers($0.value) }
    default: []
    }
  }

  struct Refusal: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let options: [String]
    let message: String
  }

  static let refusals = [
    Refusal(
      testDescription: "16 bits of 16 bits", options: ["hook=fp16", "precision=bf16-true"],
      message: "fp16Compress cannot reduce the gradient of 'fc1.weight', which is bfloat16; leave the compression out"),
    Refusal(
      testDescription: "local SGD without averaging", options: ["hook=postLocalSGD"],
      message: "communicationHook is postLocalSGD, but nothing averages the models; give modelAveragingPeriod"),
    Refusal(
      testDescription: "averaging without local SGD", options: ["average=2"],
      message: "models are to be averaged, but gradients are averaged in each step already"),
    Refusal(
      testDescription: "a divided optimizer", options: ["hook=postLocalSGD", "average=2", "zero"],
      message: "models cannot be averaged when a ZeroRedundancyOptimizer updates each parameter on one rank"),
    Refusal(
      testDescription: "groups that do not go round", options: ["hook=postLocalSGD", "average=2", "group=3"],
      message: "postLocalSGD cannot divide 2 ranks into groups of 3; give a groupSize that divides 2"),
    Refusal(
      testDescription: "other steps", options: ["hook=postLocalSGD", "levels"],
      message: "it begins after 0 steps, and the local steps after 2; give warmupSteps: 2"),
    Refusal(
      testDescription: "too early", options: ["hook=powerSGD", "start-step=1"],
      message: "powerSGD starts in step 1, but errors and factors can be kept only"),
    Refusal(
      testDescription: "different parameters", options: ["frozen-on-1"],
      message: "3 parameters require a gradient on rank 1 and 4 on rank 0; only one has 'fc2.bias' [3] float32"),
  ]

  @Test("Bad input is told before the first step", arguments: refusals)
  func refused(_ refusal: Refusal) throws {
    let run = try ProbeRun("fit", 2, options: ["train=24", "batch=4", "steps=2"] + refusal.options)
    #expect(run.status != 0)
    #expect(run.run.errors.contains(refusal.message), "\(run.run.errors)")
    #expect(run.folder.text("metrics.csv").split(separator: "\n").count < 2)
  }

  @Test("An error of a hook ends the run with its rank and bucket")
  func failingHook() throws {
    let run = try ProbeRun("fit", 2, options: ["train=48", "batch=4", "epochs=2", "hook=throws"])
    #expect(run.status != 0)
    let text =
      "communication hook moody failed on rank 1 in bucket 0 (fc2.bias, fc2.weight, fc1.bias, ...): no more of this"
    #expect(run.run.errors.contains(text), "\(run.run.errors)")
  }
}
