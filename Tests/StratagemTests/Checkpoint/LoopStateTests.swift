import Testing
import Torch

@testable import Stratagem

/// Against what Lightning 2.6.6 wrote for the same places in a run of ten batches an epoch.
@Suite("The loops of a checkpoint")
struct LoopStateTests {
  private func fitLoop(_ progress: TrainingProgress, accumulate: Int = 1, isAutomatic: Bool = true) -> ArchiveDictionary
  {
    let state = LoopState(progress, accumulate: accumulate, batchCount: 10, isAutomatic: isAutomatic)
    return state.archive["fit_loop"]?.dictionaryValue ?? [:]
  }

  private func text(_ loop: ArchiveDictionary, _ key: String) -> String { loop[key].map { "\($0)" } ?? "absent" }

  private func progress(epoch: Int, batch: Int, total: Int, step: Int) -> TrainingProgress {
    var progress = TrainingProgress()
    progress.epoch = epoch
    progress.batch = batch
    progress.totalBatches = total
    progress.globalStep = step
    return progress
  }

  @Test("After a step in the middle of the second epoch")
  func middle() {
    let loop = fitLoop(progress(epoch: 1, batch: 2, total: 12, step: 12))
    #expect(text(loop, "epoch_loop.state_dict") == "{'_batches_that_stepped': 11}")
    #expect(
      text(loop, "epoch_loop.batch_progress")
        == "{'total': {'ready': 12, 'completed': 11, 'started': 12, 'processed': 12}, "
        + "'current': {'ready': 2, 'completed': 1, 'started': 2, 'processed': 2}, 'is_last_batch': False}")
    #expect(
      text(loop, "epoch_loop.scheduler_progress")
        == "{'total': {'ready': 1, 'completed': 1}, 'current': {'ready': 0, 'completed': 0}}")
    #expect(
      text(loop, "epoch_loop.automatic_optimization.optim_progress")
        == "{'optimizer': {'step': {'total': {'ready': 12, 'completed': 12}, 'current': {'ready': 2, 'completed': 2}}, "
        + "'zero_grad': {'total': {'ready': 12, 'completed': 12, 'started': 12}, "
        + "'current': {'ready': 2, 'completed': 2, 'started': 2}}}}")
    #expect(
      text(loop, "epoch_progress")
        == "{'total': {'ready': 2, 'completed': 1, 'started': 2, 'processed': 1}, "
        + "'current': {'ready': 2, 'completed': 1, 'started': 2, 'processed': 1}}")
  }

  @Test("At the end of the second epoch")
  func end() {
    let loop = fitLoop(progress(epoch: 2, batch: 0, total: 20, step: 20))
    #expect(text(loop, "epoch_loop.state_dict") == "{'_batches_that_stepped': 20}")
    #expect(
      text(loop, "epoch_loop.batch_progress")
        == "{'total': {'ready': 20, 'completed': 20, 'started': 20, 'processed': 20}, "
        + "'current': {'ready': 10, 'completed': 10, 'started': 10, 'processed': 10}, 'is_last_batch': True}")
    #expect(
      text(loop, "epoch_progress")
        == "{'total': {'ready': 2, 'completed': 1, 'started': 2, 'processed': 2}, "
        + "'current': {'ready': 2, 'completed': 1, 'started': 2, 'processed': 2}}")
  }

  @Test("After the last batch of an epoch, with steps of four batches")
  func accumulated() {
    let loop = fitLoop(progress(epoch: 0, batch: 10, total: 10, step: 3), accumulate: 4)
    #expect(text(loop, "epoch_loop.state_dict") == "{'_batches_that_stepped': 2}")
    #expect(
      text(loop, "epoch_loop.batch_progress")
        == "{'total': {'ready': 10, 'completed': 9, 'started': 10, 'processed': 10}, "
        + "'current': {'ready': 10, 'completed': 9, 'started': 10, 'processed': 10}, 'is_last_batch': True}")
    #expect(
      loop["epoch_loop.automatic_optimization.optim_progress"]?["optimizer"]?["step"].map { "\($0)" }
        == "{'total': {'ready': 3, 'completed': 3}, 'current': {'ready': 3, 'completed': 3}}")
  }

  @Test("A module that steps its optimizers itself")
  func manual() {
    let loop = fitLoop(progress(epoch: 0, batch: 4, total: 4, step: 8), isAutomatic: false)
    #expect(loop["epoch_loop.manual_optimization.optim_step_progress"]?["total"]?["completed"]?.intValue == 8)
    #expect(
      loop["epoch_loop.automatic_optimization.optim_progress"]?["optimizer"]?["step"]?["total"]?["completed"]?.intValue
        == 0)
  }

  @Test("Read from Lightning's counters", arguments: [(0, 0, 0), (0, 3, 3), (1, 2, 12), (2, 0, 20), (0, 10, 10)])
  func read(epoch: Int, batch: Int, total: Int) throws {
    let written = progress(epoch: epoch, batch: batch, total: total, step: total)
    let state = LoopState(written, accumulate: 1, batchCount: 10, isAutomatic: true)
    let checkpoint = Checkpoint(["global_step": .int(total), "loops": .dictionary(state.archive)])
    #expect(try LoopState.progress(of: checkpoint, "a.ckpt") == written)
  }
}
