internal import Stratagem
internal import TorchDistributed

/// The communication hooks by name.
enum HookChoice: String, CaseIterable, Codable {
  case none
  case allReduce = "all_reduce"
  case fp16Compress = "fp16_compress"
  case bf16Compress = "bf16_compress"
  case powerSGD = "power_sgd"
  case batchedPowerSGD = "batched_power_sgd"
  case quantizePerTensor = "quantize_per_tensor"
  case quantizePerChannel = "quantize_per_channel"
  case postLocalSGD = "post_local_sgd"
  case localSGD = "local_sgd"

  /// - Parameters:
  ///   - rank: of PowerSGD.
  ///   - startStep: of PowerSGD and post-local SGD.
  ///   - groupSize: of post-local SGD.
  func hook(rank: Int, startStep: Int, groupSize: Int?) -> (any CommunicationHook)? {
    switch self {
    case .none: nil
    case .allReduce: AllReduceHook()
    case .fp16Compress: CompressionHook(.float16)
    case .bf16Compress: CompressionHook(.bfloat16)
    case .powerSGD: .powerSGD(rank: rank, startStep: startStep)
    case .batchedPowerSGD: .batchedPowerSGD(rank: rank, startStep: startStep)
    case .quantizePerTensor: QuantizationHook()
    case .quantizePerChannel: QuantizationHook(channelSize: 512)
    case .postLocalSGD: PostLocalSGDHook(startStep: startStep, groupSize: groupSize)
    case .localSGD: PostLocalSGDHook(startStep: 0, groupSize: 1)
    }
  }
}

/// The wrappers of communication hooks by name.
enum HookWrapperChoice: String, CaseIterable, Codable {
  case none
  case fp16Compress = "fp16_compress"
  case bf16Compress = "bf16_compress"

  var wrapper: CommunicationWrapper? {
    switch self {
    case .none: nil
    case .fp16Compress: .fp16Compress
    case .bf16Compress: .bf16Compress
    }
  }
}
