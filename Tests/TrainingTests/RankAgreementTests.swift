import Foundation
import Testing

/// Ranks that differ in what only they know do the same, or all fail with an error that says in what they differ. A rank that
/// waited for another would do so for a minute, and fail otherwise.
@Suite("Ranks that differ", .serialized)
struct RankAgreementTests {
  private static func probe(_ ranks: Int, _ options: String...) throws -> ProbeRun {
    try ProbeRun("sharded", ranks, options: options)
  }

  private static func failure(_ ranks: Int, _ options: String...) throws -> String {
    let run = try ProbeRun("sharded", ranks, options: options)
    #expect(run.status == 1, "\(run.run)")
    #expect(!run.run.errors.contains("waited for the others"), "\(run.run.errors)")
    return run.failure
  }

  @Test("One rank uses a layer that others do not", arguments: [2, 3])
  func use(ranks: Int) throws {
    let failure = try Self.failure(ranks, "strategy=fsdp-layers", "unused=rank")
    #expect(failure.contains("unit 'extra'") && failure.contains("in the same order"), "\(failure)")
  }

  @Test("One rank uses layers of the same size in another order, also in an evaluation")
  func order() throws {
    for stages in ["fit", "validate"] {
      let failure = try Self.failure(2, "strategy=fsdp-blocks", "order=rank", "stages=\(stages)")
      #expect(failure.contains("unit 'blocks.2'") && failure.contains("unit 'blocks.0'"), "\(failure)")
    }
  }

  @Test("One rank uses a layer in an evaluation that others do not")
  func evaluation() throws {
    let failure = try Self.failure(2, "strategy=fsdp-layers", "unused=evaluation", "stages=validate")
    #expect(failure.contains("gathers unit 'extra'"), "\(failure)")
  }

  /// Rank 1 does not use the layer whose gradients come first, and so reduces nothing before the end of backward; the others
  /// have by then reduced parameters of which another gradient comes.
  @Test("Gradients that come late on some ranks", arguments: [2, 3])
  func lateGradients(ranks: Int) throws {
    let options = ["unused=others", "tied", "checkpointed", "optimizer=sgd"]
    let expected = try ProbeRun("sharded", ranks, options: options + ["strategy=ddp_sharded"]).succeeded()
    let run = try ProbeRun("sharded", ranks, options: options + ["strategy=small-buckets"]).succeeded()
    let losses = try [expected, run].map { try $0.metrics.values("train/loss") }
    #expect(losses[0].count == 10 && losses[1].count == 10)
    for (first, second) in zip(losses[0], losses[1]) { #expect(abs(first - second) < 1e-12) }
  }

  /// A model that has no memory on all ranks but one is as one that has none on any: no rank holds it afterwards.
  @Test("One rank has no memory for the model")
  func deferred() throws {
    let common = ["strategy=fsdp-layers", "stages=fit,print,save"]
    let whole = try ProbeRun("sharded", 2, options: common).succeeded()
    let run = try ProbeRun("sharded", 2, options: common + ["deferred=rank"]).succeeded()
    #expect(try run.metrics.values("train/loss") == whole.metrics.values("train/loss"))
    func elements(_ run: ProbeRun) -> [Int] {
      run.run.outputLines.filter { $0.hasSuffix(" elements") }.compactMap {
        $0.split(separator: " ").dropLast().last.flatMap { Int($0) }
      }
    }
    #expect(elements(run).reduce(0, +) * 2 == elements(whole).reduce(0, +), "\(run.run.output)")
  }

  @Test("One rank has another option")
  func options() throws {
    let failure = try Self.failure(2, "strategy=fsdp-options")
    #expect(
      failure.contains("'findUnusedParameters: false' on rank 1 and 'findUnusedParameters: true' on rank 0"),
      "\(failure)")
  }

  @Test("One rank does not see the checkpoint that the others begin with", arguments: ["ddp", "fsdp-layers"])
  func checkpoint(strategy: String) throws {
    let first = try Self.probe(2, "strategy=\(strategy)", "steps=3").succeeded()
    let run = try ProbeRun(
      "sharded", 2, options: ["strategy=\(strategy)", "resume=last", "own-output"], folder: first.folder)
    #expect(run.status == 1)
    #expect(
      run.failure.contains("rank 1 begins without a checkpoint, and rank 0 with '")
        && run.failure.contains("checkpoints/last.ckpt' of step 3"), "\(run.run)")
  }

  @Test("One rank has no validation data", arguments: ["ddp", "fsdp-layers"])
  func validation(strategy: String) throws {
    let failure = try Self.failure(2, "strategy=\(strategy)", "val=rank")
    #expect(
      failure.contains("validationLoaders() returns 0 loaders on rank 1 and 1 loader on rank 0"), "\(failure)")
  }

  @Test("One rank has another seed for the order of samples")
  func seed() throws {
    let one = try Self.probe(1, "seed", "shuffle").succeeded()
    let two = try Self.probe(2, "strategy=ddp", "seed", "shuffle").succeeded()
    let losses = try [one, two].map { try $0.metrics.values("train/loss") }
    for (first, second) in zip(losses[0], losses[1]) { #expect(abs(first - second) < 1e-12) }
  }
}
