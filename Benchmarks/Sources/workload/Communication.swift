import Glibc
import Stratagem
import TorchDistributed

/// Steps per second, and bytes on the wire, of the algorithms that bring gradients or models of the ranks together.
enum Communication {
  /// An algorithm by the name that the table calls it.
  struct Algorithm {
    let name: String
    /// How many times as many steps it takes as the others: what happens in time is the mean of a longer one.
    let stretch: Int
    let make: () -> any StrategyConvertible

    init(_ name: String, stretch: Int = 1, _ make: @escaping @autoclosure () -> any StrategyConvertible) {
      self.name = name
      self.stretch = stretch
      self.make = make
    }
  }

  /// What is measured, `ddp` first: the rest is held against it. A strategy of the registry is its name.
  static var algorithms: [Algorithm] {
    [
      Algorithm("ddp", "ddp"),
      Algorithm("fp16Compress", DDPStrategy(communicationHook: .fp16Compress)),
      Algorithm("bf16Compress", DDPStrategy(communicationHook: .bf16Compress)),
      Algorithm("powerSGD, rank 1", DDPStrategy(communicationHook: .powerSGD(rank: 1, startStep: 2))),
      Algorithm("powerSGD, rank 4", DDPStrategy(communicationHook: .powerSGD(rank: 4, startStep: 2))),
      Algorithm("batchedPowerSGD, rank 1", DDPStrategy(communicationHook: .batchedPowerSGD(rank: 1, startStep: 2))),
      Algorithm("quantizePerTensor", DDPStrategy(communicationHook: .quantizePerTensor)),
      Algorithm("quantizePerChannel", DDPStrategy(communicationHook: .quantizePerChannel())),
      Algorithm("localSGD, period 8", DDPStrategy(communicationHook: .localSGD, modelAveragingPeriod: 8)),
      Algorithm("horovod", "horovod"),
      Algorithm("horovod, adasum", HorovodStrategy(operation: .adasum)),
      Algorithm("bagua, gradient_allreduce", "bagua"),
      Algorithm("bagua, bytegrad", BaguaStrategy(algorithm: .byteGrad(hierarchical: false))),
      Algorithm("bagua, decentralized", BaguaStrategy(algorithm: .decentralized(hierarchical: false))),
      Algorithm(
        "bagua, decentralized, shift_one",
        BaguaStrategy(algorithm: .decentralized(hierarchical: false, peers: .shiftOne))),
      Algorithm(
        "bagua, low_precision_decentralized",
        BaguaStrategy(algorithm: .lowPrecisionDecentralized(hierarchical: false))),
      Algorithm("bagua, qadam", BaguaStrategy(algorithm: .qAdam(hierarchical: false))),
      Algorithm("bagua, async, 200 ms", stretch: 20, BaguaStrategy(algorithm: .async(syncInterval: 200))),
    ]
  }

  /// Steps before the clock starts: buckets are arranged, PowerSGD has begun, the warm-up of QAdam is over.
  static let warmup = 8

  /// - Parameter steps: a multiple of 8, so that local SGD is measured with all it sends.
  static func run(_ name: String, devices: Int, steps: Int) throws {
    guard let algorithm = algorithms.first(where: { $0.name == name }) else {
      throw UsageError("--algorithm is '\(name)'; known: \(algorithms.map(\.name).joined(separator: "; "))")
    }
    let steps = steps * algorithm.stretch
    let generator = Generator(seed: 1)
    let count = 32 * devices * 8
    let loader = DataLoader(
      TensorDataset(Tensor.randn([count, 64], generator: generator), Tensor.arange(count) % 10), batchSize: 32,
      dropLast: true)
    let clock = TrafficClock(first: warmup, last: warmup + steps)
    let trainer = try Trainer(
      strategy: algorithm.make(), accelerator: "cpu", devices: .count(devices), until: .steps(warmup + steps),
      callbacks: [clock], loggers: [], checkpointing: false, progress: .silent)
    try trainer.fit(WideMLP(), train: loader)
    guard trainer.isGlobalZero else { return }
    var result = Result()
    result.add("steps_per_second", Double(steps) / clock.seconds)
    result.add("kilobytes", Double(clock.bytes) / Double(steps * devices) / 1000)
    result.print()
  }

  /// 302 090 parameters, 1.2 MB of gradients: a step computes for some milliseconds.
  final class WideMLP: LightningModule<[Tensor]> {
    let fc1 = Linear(64, 512)
    let fc2 = Linear(512, 512)
    let fc3 = Linear(512, 10)

    override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
      .loss(Functional.crossEntropy(fc3(fc2(fc1(batch[0]).relu()).relu()), batch[1]))
    }

    override func configureOptimizers() throws -> OptimizerPlan {
      let algorithm = (trainer?.strategy as? BaguaStrategy)?.algorithm
      // A short warm-up leaves second moments near 0, which a larger epsilon makes up for.
      return OptimizerPlan(
        algorithm is QAdamAlgorithm
          ? QAdam(self, learningRate: 0.0001, warmupSteps: 4, epsilon: 1e-3) : SGD(self, learningRate: 0.01))
    }
  }
}

/// Reads the time, and what went over the loopback interface, after two of the steps.
final class TrafficClock: Callback {
  private let first: Int
  private let last: Int
  private var step = 0
  private(set) var seconds = 0.0
  /// Of all ranks of this machine.
  private(set) var bytes = 0

  init(first: Int, last: Int) {
    self.first = first
    self.last = last
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) throws {
    step += 1
    if step == first {
      seconds = -Clock.now
      bytes = -Self.loopbackBytes()
    } else if step == last {
      seconds += Clock.now
      bytes += Self.loopbackBytes()
    }
  }

  /// The bytes that the loopback interface of this network namespace has sent.
  private static func loopbackBytes() -> Int {
    guard let file = fopen("/proc/net/dev", "r") else { return 0 }
    defer { fclose(file) }
    var buffer = [CChar](repeating: 0, count: 512)
    while fgets(&buffer, Int32(buffer.count), file) != nil {
      let line = String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      let fields = line.split(whereSeparator: { " :\n".contains($0) })
      if fields.count > 9, fields[0] == "lo" { return Int(fields[9]) ?? 0 }
    }
    return 0
  }
}
