import Glibc
import Stratagem
import TorchDistributed

/// `ddp` with what `hook`, `wrapper` and `average` ask for.
extension Probe {
  func hookedStrategy() -> DDPStrategy {
    DDPStrategy(
      bucketMegabytes: options.double("bucket", 25), communicationHook: hook(),
      communicationWrapper: options["wrapper"] == "bf16" ? .bf16Compress : nil,
      modelAveragingPeriod: options.int("average"),
      modelAverager: options.has("levels")
        ? .hierarchical([.init(period: 2, groupSize: 1), .init(period: 4, groupSize: options.devices)]) : nil)
  }

  private func hook() -> (any CommunicationHook)? {
    let start = options.int("start-step", 2)
    switch options["hook"] {
    case nil: return nil
    case "fp16": return .fp16Compress
    case "powerSGD": return .powerSGD(startStep: start, minimumCompressionRate: 0.5)
    case "batchedPowerSGD": return .batchedPowerSGD(startStep: start)
    case "postLocalSGD": return .postLocalSGD(startStep: start, groupSize: options.int("group"))
    case "throws":
      var buckets = 0
      return .closure("moody") { bucket, group in
        buckets += 1
        if group.rank == 1, buckets == 3 { throw ProbeError(description: "no more of this") }
        return try group.pendingAllReduce(bucket.buffer, by: .mean)
      }
    default: return .allReduce
    }
  }

  func environment(_ name: String) -> String? { getenv(name).map { String(cString: $0) } }
}
