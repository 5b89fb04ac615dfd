internal import Torch

/// The `loops` part of a checkpoint: how far training has come, in Lightning's nested counters.
struct LoopState {
  private let progress: TrainingProgress
  /// Batches per step.
  private let accumulate: Int
  /// Batches of an epoch; 0 when that is not known.
  private let batchCount: Int
  /// Whether the trainer steps the optimizer; otherwise the module does.
  private let isAutomatic: Bool

  init(_ progress: TrainingProgress, accumulate: Int, batchCount: Int, isAutomatic: Bool) {
    self.progress = progress
    self.accumulate = accumulate
    self.batchCount = batchCount
    self.isAutomatic = isAutomatic
  }

  private var isEpochEnd: Bool { progress.batch == 0 && progress.epoch > 0 }

  /// The dictionary of the four loops.
  var archive: ArchiveDictionary {
    [
      "fit_loop": .dictionary(fitLoop), "validate_loop": .dictionary(Self.evaluationLoop),
      "test_loop": .dictionary(Self.evaluationLoop),
      "predict_loop": ["state_dict": [:], "batch_progress": Self.twice(Self.counters(0))],
    ]
  }

  private var fitLoop: ArchiveDictionary {
    let step = progress.globalStep
    let current = isEpochEnd ? progress.totalBatches / max(1, progress.epoch) : progress.batch
    let steps = min(step, (current + accumulate - 1) / accumulate)
    let automatic = isAutomatic ? (total: step, current: steps) : (total: 0, current: 0)
    let manual = isAutomatic ? (total: 0, current: 0) : (total: step, current: steps)
    let scheduled = progress.lightningEpoch + (isEpochEnd ? 1 : 0)
    // In the middle of an epoch Lightning saves before it counts the batch and its step as completed.
    let open = isEpochEnd || progress.totalBatches == 0 ? 0 : 1
    return [
      "state_dict": [:],
      "epoch_loop.state_dict": ["_batches_that_stepped": .int(max(0, step - open))],
      "epoch_loop.batch_progress": [
        "total": .dictionary(Self.counters(progress.totalBatches, open: open)),
        "current": .dictionary(Self.counters(current, open: open)),
        "is_last_batch": .bool(isEpochEnd || (current == batchCount && current > 0)),
      ],
      "epoch_loop.scheduler_progress": Self.each(
        Self.readyCompleted(scheduled), Self.readyCompleted(isEpochEnd ? 1 : 0)),
      "epoch_loop.automatic_optimization.state_dict": [:],
      "epoch_loop.automatic_optimization.optim_progress": [
        "optimizer": [
          "step": Self.each(Self.readyCompleted(automatic.total), Self.readyCompleted(automatic.current)),
          "zero_grad": Self.each(Self.starts(automatic.total), Self.starts(automatic.current)),
        ]
      ],
      "epoch_loop.manual_optimization.state_dict": [:],
      "epoch_loop.manual_optimization.optim_step_progress": Self.each(
        Self.readyCompleted(manual.total), Self.readyCompleted(manual.current)),
      "epoch_loop.val_loop.state_dict": [:],
      "epoch_loop.val_loop.batch_progress": Self.evaluationLoop["batch_progress"] ?? .none,
      "epoch_progress": Self.twice(epochs),
    ]
  }

  /// A checkpoint at the end of an epoch is written before Lightning counts that epoch as completed.
  private var epochs: ArchiveDictionary {
    let begun = isEpochEnd ? progress.epoch : progress.epoch + 1
    return [
      "ready": .int(begun), "completed": .int(begun - 1), "started": .int(begun),
      "processed": .int(isEpochEnd ? begun : begun - 1),
    ]
  }

  private static var evaluationLoop: ArchiveDictionary {
    [
      "state_dict": [:],
      "batch_progress": [
        "total": .dictionary(counters(0)), "current": .dictionary(counters(0)), "is_last_batch": false,
      ],
    ]
  }

  /// The counters in all epochs and in the present one.
  private static func each(_ total: ArchiveDictionary, _ current: ArchiveDictionary) -> ArchiveValue {
    ["total": .dictionary(total), "current": .dictionary(current)]
  }

  private static func twice(_ counters: ArchiveDictionary) -> ArchiveValue { each(counters, counters) }

  private static func counters(_ count: Int, open: Int = 0) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count - open), "started": .int(count), "processed": .int(count)]
  }

  private static func readyCompleted(_ count: Int) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count)]
  }

  private static func starts(_ count: Int) -> ArchiveDictionary {
    ["ready": .int(count), "completed": .int(count), "started": .int(count)]
  }
}

/// Reading
extension LoopState {
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
    } else {
      readLightning(checkpoint, &progress)
    }
    return progress
  }

  /// Takes the place of a run of Lightning's from its counters of what has been processed.
  private static func readLightning(_ checkpoint: Checkpoint, _ progress: inout TrainingProgress) {
    let fit = checkpoint["loops"]?["fit_loop"]
    guard let epochs = fit?["epoch_progress"]?["current"], let processed = epochs["processed"]?.intValue else {
      progress.epoch = (checkpoint.epoch ?? -1) + 1
      return
    }
    let batches = fit?["epoch_loop.batch_progress"]
    progress.epoch = processed
    progress.totalBatches = batches?["total"]?["processed"]?.intValue ?? 0
    // An epoch that was begun and not processed is the present one.
    if let started = epochs["started"]?.intValue, started > processed {
      progress.batch = batches?["current"]?["processed"]?.intValue ?? 0
    }
  }
}
