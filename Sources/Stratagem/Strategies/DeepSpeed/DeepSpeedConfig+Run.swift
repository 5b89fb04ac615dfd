internal import Torch

extension DeepSpeedConfig.AsynchronousIO {
  var diskOptions: DiskOptions {
    DiskOptions(blockByteCount: blockSize, queueDepth: queueDepth, threadCount: threadCount)
  }
}

/// What a configuration means in a run.
extension DeepSpeedConfig {
  /// What does not go with the arguments of the trainer.
  func problems(
    _ settings: TrainerSettings, worldSize: Int, accumulate: Int, totalSteps: Int?
  ) -> [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if let own = gradientClipping, let norm = settings.clipNorm, own != norm {
      problems.append(
        .init(
          "clipNorm", "'gradient_clipping' is \(own) in the ds_config, and clipNorm is \(norm)",
          suggestion: "give one of them"))
    }
    if let own = gradientClipping, let value = settings.clipValue {
      problems.append(
        .init(
          "clipValue", "'gradient_clipping' is \(own) in the ds_config, and clipValue is \(value)",
          suggestion: "choose one: the norm of all gradients together, or each element"))
    }
    if let scheduler, scheduler.needsTotalSteps, totalSteps == nil {
      problems.append(
        .init(
          "scheduler.params.total_num_steps", "'total_num_steps' is \"auto\", and the trainer does not know it yet",
          suggestion: "write the number of optimizer steps, or give the trainer maxSteps"))
    }
    if let shards = zero.shardSize, worldSize % shards != 0 {
      problems.append(
        .init(
          "zero_optimization.mics_shard_size", "\(worldSize) ranks do not make groups of \(shards)",
          suggestion: "give a divisor of \(worldSize)"))
    }
    let factor = worldSize * accumulate
    if let total = trainBatchSize {
      if let micro = microBatchSize, micro * factor != total {
        problems.append(
          .init(
            "train_batch_size",
            "'train_batch_size' is \(total), but \(micro) samples × \(accumulate) accumulated × \(worldSize) ranks are "
              + "\(micro * factor)",
            suggestion: (total % (micro * worldSize) == 0
              ? "give the trainer accumulate: \(total / (micro * worldSize)), or " : "")
              + "write \(micro * factor), or \"auto\""))
      } else if total % factor != 0 {
        problems.append(
          .init(
            "train_batch_size",
            "'train_batch_size' is \(total), which \(accumulate) accumulated batches on \(worldSize) ranks do not divide",
            suggestion: "give a multiple of \(factor), or \"auto\""))
      }
    }
    return problems
  }

  /// The configuration with what the trainer and the loader say, and what does not go with the loader.
  func filled(
    batchSize: Int, worldSize: Int, accumulate: Int, clipping: Double?, precision: PrecisionKind
  ) -> (JSONValue, ConfigurationError.Problem?) {
    var json = json
    let factor = worldSize * accumulate
    json.set("train_batch_size", .integer(batchSize * factor))
    json.set("train_micro_batch_size_per_gpu", .integer(batchSize))
    json.set("gradient_accumulation_steps", .integer(accumulate))
    json.set("gradient_clipping", .number(clipping ?? 0))
    for (key, kinds) in [
      ("fp16", [PrecisionKind.float16, .float16Mixed]), ("bf16", [.bfloat16, .bfloat16Mixed]),
    ] {
      var block = json[key] ?? [:]
      block.set("enabled", .bool(kinds.contains(precision)))
      json.set(key, block)
    }
    let expected = microBatchSize ?? trainBatchSize.map { $0 / factor }
    guard let expected, expected != batchSize else { return (json, nil) }
    let name = microBatchSize != nil ? "train_micro_batch_size_per_gpu" : "train_batch_size"
    return (
      json,
      .init(
        name, "the loader has batches of \(batchSize) samples, and '\(name)' means \(expected)",
        suggestion: "make both equal, or write \"auto\"")
    )
  }

  /// What the sharding engine does.
  ///
  /// - Parameter elements: the numbers of elements of the parameters.
  func shardingOptions(elements: [Int]) -> ShardingOptions {
    var options = ShardingOptions(ShardingOptions.Stage(rawValue: zero.stage) ?? .optimizerState)
    options.layout = zero.stage == 3 ? .perParameter : .flat
    options.bucketByteCount = min(zero.reduceBucketSize, 1 << 30) * 4
    options.shards = zero.shardSize
    options.findUnusedParameters = true
    options.reducesEveryMicroBatch = zero.stage >= 2
    options.maximumReductions = zero.overlapsCommunication ? 2 : 1
    options.reduceType =
      switch communicationType {
      case .float16: .float16
      case .bfloat16: .bfloat16
      case .float32: .float32
      case nil: nil
      }
    if zero.stage == 3 {
      let threshold = zero.parameterPersistenceThreshold
      let persistent = elements.filter { $0 < threshold }.reduce(0, +)
      options.persistenceThreshold = persistent <= zero.modelPersistenceThreshold ? threshold : 0
      options.prefetchesForward = zero.prefetchBucketSize > 0
      options.prefetchesBackward = zero.prefetchBucketSize > 0
    }
    return options
  }
}
