internal import Glibc

/// The options of ``DeepSpeedStrategy`` where it has no configuration, with Lightning's defaults.
public struct DeepSpeedOptions: Sendable {
  /// Partition anything at all; otherwise every rank holds everything, as with `ddp`.
  public var zeroOptimization = true
  /// 1 partitions the optimizer state, 2 gradients too, 3 parameters too.
  public var stage = 2
  /// Keep the optimizer state on ``offloadOptimizerDevice``.
  public var offloadOptimizer = false
  /// Keep parameters on ``offloadParametersDevice``; needs stage 3.
  public var offloadParameters = false
  public var offloadOptimizerDevice = ZeroOptimization.OffloadDevice.cpu
  public var offloadParametersDevice = ZeroOptimization.OffloadDevice.cpu
  /// Where parameters are made: here they are made shard by shard, so that it has no effect.
  public var remoteDevice = ZeroOptimization.OffloadDevice.cpu
  /// The folder of what is kept on disk; nil for `/local_nvme` where that exists, else the folder for temporary files.
  public var nvmePath: String?
  public var parametersBufferCount = 5
  public var parametersBufferSize = 100_000_000
  /// Elements of parameters that stay in memory with `.nvme`.
  public var maximumInCPU = 1_000_000_000
  public var optimizerBufferCount = 4
  /// Bytes of one request to a disk; a multiple of 4096.
  public var blockSize = 1_048_576
  /// Requests to a disk under way at once.
  public var queueDepth = 8
  public var singleSubmit = false
  public var overlapEvents = true
  public var threadCount = 1
  public var pinMemory = false
  /// Elements that the optimizer updates in one go.
  public var subGroupSize = 1_000_000_000_000
  public var overlapCommunication = true
  /// Elements of parameters that are gathered together.
  public var allGatherBucketSize = 200_000_000
  /// Elements of gradients that are reduced together.
  public var reduceBucketSize = 200_000_000
  /// How the loss is scaled in float16.
  public var lossScaling = LossScaling()
  /// Keep checkpointed activations in the memory of the host.
  public var cpuCheckpointing = false

  public init(stage: Int = 2, offloadOptimizer: Bool = false, offloadParameters: Bool = false) {
    self.stage = stage
    self.offloadOptimizer = offloadOptimizer
    self.offloadParameters = offloadParameters
  }

  /// The folder of what is kept on disk.
  var folder: String {
    if let nvmePath { return nvmePath }
    if access("/local_nvme", W_OK) == 0 { return "/local_nvme" }
    return getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp"
  }

  /// The configuration that says the same.
  var json: JSONValue {
    var zero: JSONValue = [
      "stage": .integer(zeroOptimization ? stage : 0), "overlap_comm": .bool(overlapCommunication),
      "allgather_bucket_size": .integer(allGatherBucketSize), "reduce_bucket_size": .integer(reduceBucketSize),
      "sub_group_size": .integer(subGroupSize),
    ]
    if offloadOptimizer {
      zero.set(
        "offload_optimizer",
        [
          "device": .string(offloadOptimizerDevice.rawValue), "nvme_path": .string(folder),
          "buffer_count": .integer(optimizerBufferCount), "pin_memory": .bool(pinMemory),
        ])
    }
    if offloadParameters {
      zero.set(
        "offload_param",
        [
          "device": .string(offloadParametersDevice.rawValue), "nvme_path": .string(folder),
          "buffer_count": .integer(parametersBufferCount), "buffer_size": .integer(parametersBufferSize),
          "max_in_cpu": .integer(maximumInCPU), "pin_memory": .bool(pinMemory),
        ])
    }
    return [
      "zero_optimization": zero,
      "fp16": [
        "loss_scale": .number(lossScaling.fixed), "initial_scale_power": .integer(lossScaling.initialPower),
        "loss_scale_window": .integer(lossScaling.window), "hysteresis": .integer(lossScaling.hysteresis),
        "consecutive_hysteresis": .bool(lossScaling.restoresHysteresis),
        "min_loss_scale": .number(lossScaling.minimum),
      ],
      "activation_checkpointing": ["cpu_checkpointing": .bool(cpuCheckpointing)],
      "aio": [
        "block_size": .integer(blockSize), "queue_depth": .integer(queueDepth), "single_submit": .bool(singleSubmit),
        "overlap_events": .bool(overlapEvents), "thread_count": .integer(threadCount),
      ],
    ]
  }
}

extension JSONValue {
  /// Sets a member of an object.
  mutating func set(_ name: String, _ value: JSONValue) {
    guard case .object(var members) = self else { return }
    members[name] = value
    self = .object(members)
  }
}
