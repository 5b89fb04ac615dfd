internal import Torch

/// The `loops` part of a checkpoint: how far training has come, in Lightning's nested counters.
enum LoopState {
  static func archive(_ progress: TrainingProgress) -> ArchiveDictionary {
    // A checkpoint at the end of an epoch is written before Lightning counts that epoch as completed.
    let isEpochEnd = progress.batch == 0 && progress.epoch > 0
    let begun = isEpochEnd ? progress.epoch : progress.epoch + 1
    let epochs: ArchiveDictionary = [
      "ready": .int(begun), "completed": .int(begun - 1), "started": .int(begun),
      "processed": .int(isEpochEnd ? begun : begun - 1),
    ]
    let current = isEpochEnd ? progress.totalBatches / max(1, progress.epoch) : progress.batch
    let step = progress.globalStep
    let fit: ArchiveDictionary = [
      "state_dict": [:],
      "epoch_loop.state_dict": ["_batches_that_stepped": .int(step)],
      "epoch_loop.batch_progress": [
        "total": .dictionary(counters(progress.totalBatches)), "current": .dictionary(counters(current)),
        "is_last_batch": .bool(isEpochEnd),
      ],
      "epoch_loop.scheduler_progress": twice(readyCompleted(0)),
      "epoch_loop.automatic_optimization.state_dict": [:],
      "epoch_loop.automatic_optimization.optim_progress": [
        "optimizer": ["step": twice(readyCompleted(step)), "zero_grad": twice(starts(step))]
      ],
      "epoch_loop.manual_optimization.state_dict": [:],
      "epoch_loop.manual_optimization.optim_step_progress": twice(readyCompleted(0)),
      "epoch_loop.val_loop.state_dict": [:],
      "epoch_loop.val_loop.batch_progress": [
        "total": .dictionary(counters(0)), "current": .dictionary(counters(0)), "is_last_batch": false,
      ],
      "epoch_progress": twice(epochs),
    ]
    return ["fit_loop": .dictionary(fit)]
  }

  /// The same counters in all epochs and in the present one.
  private static func twice(_ counters: ArchiveDictionary) -> ArchiveValue {
    ["total": .dictionary(counters), "current": .dictionary(counters)]
  }

  private static func counters(_ count: Int) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count), "started": .int(count), "processed": .int(count)]
  }

  private static func readyCompleted(_ count: Int) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count)]
  }

  private static func starts(_ count: Int) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count), "started": .int(count)]
  }

  /// How far the run that wrote `checkpoint` had come.
  static func progress(of checkpoint: Checkpoint, _ path: String) throws -> TrainingProgress {
    guard let step = checkpoint.globalStep else {
      throw CheckpointError(path: path, reason: "there is no 'global_step' in it, so it cannot be resumed")
    }
    var progress = TrainingProgress()
    progress.globalStep = step
    if let own = checkpoint["stratagem"]?.dictionaryValue {
      progress.epoch = own["epoch"]?.intValue ?? 0
      progress.batch = own["batch"]?.intValue ?? 0
      progress.totalBatches = own["total_batches"]?.intValue ?? 0
      progress.samples = own["samples"]?.intValue ?? 0
      progress.seconds = own["seconds"]?.doubleValue ?? 0
      return progress
    }
    // Written by Lightning.
    let fit = checkpoint["loops"]?.dictionaryValue?["fit_loop"]?.dictionaryValue
    let epochs = fit?["epoch_progress"]?.dictionaryValue?["current"]?.dictionaryValue
    let batches = fit?["epoch_loop.batch_progress"]?.dictionaryValue
    let isLastBatch = batches?["is_last_batch"]?.boolValue ?? true
    progress.totalBatches = batches?["total"]?.dictionaryValue?["completed"]?.intValue ?? 0
    progress.epoch =
      isLastBatch
      ? (epochs?["processed"]?.intValue ?? (checkpoint.epoch ?? 0) + 1) : (epochs?["completed"]?.intValue ?? 0)
    progress.batch = isLastBatch ? 0 : batches?["current"]?.dictionaryValue?["completed"]?.intValue ?? 0
    return progress
  }
}
