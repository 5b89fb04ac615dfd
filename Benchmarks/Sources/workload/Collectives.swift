import Stratagem
import Torch
import TorchDistributed

/// The ways to reduce a bucket to its owners and to gather it again, on Gloo: a run whose strategy measures instead of
/// training.
enum Collectives {
  final class Meter: DDPStrategy {
    var result = Result()

    override func onTrainStart() throws {
      guard let group else { return }
      let count = 4 << 20
      let (full, part) = (Tensor.ones([count]), Tensor.zeros([count / group.size]))
      func time(_ name: String, _ body: () throws -> Void) throws {
        for _ in 0..<3 { try body() }
        var seconds: [Double] = []
        for _ in 0..<15 {
          try group.barrier()
          seconds.append(try Clock.seconds(body))
        }
        result.add(name + "_ms", seconds.median * 1e3)
      }
      func region(_ rank: Int) -> Tensor { full.narrowed(dim: 0, start: rank * part.count, length: part.count) }
      try time("all_reduce") { try group.allReduce(full) }
      try time("reduce_scatter") { try group.reduceScatter(into: part, from: full) }
      try time("all_to_all") {
        let output = Tensor.empty([count])
        try group.startAllToAll(into: output, from: full).wait()
        Aten.copy_(part, src: output.reshaped(group.size, part.count).sum(dim: 0))
      }
      try time("exchange") {
        let others = (0..<group.size).map { $0 == group.rank ? nil : Tensor.empty([part.count]) }
        let works = try group.startExchange(
          sending: (0..<group.size).map { region($0) }, receiving: others, as: .reduceScatter)
        for work in works { try work.wait() }
        part.copy(from: region(group.rank))
        for other in others { if let other { part.add(other) } }
      }
      try time("all_gather") { try group.allGather(into: full, from: part) }
      try time("gather_exchange") {
        let works = try group.startExchange(
          sending: Array(repeating: region(group.rank), count: group.size),
          receiving: (0..<group.size).map { region($0) },
          as: .allGather)
        for work in works { try work.wait() }
      }
    }
  }

  static func measure(devices: Int) throws {
    let strategy = Meter()
    let trainer = try Trainer(
      strategy: strategy, accelerator: "cpu", devices: .count(devices), until: .steps(1), loggers: [],
      checkpointing: false, progress: .silent)
    let loader = DataLoader(
      TensorDataset(Tensor.randn([32 * devices, 3, 32, 32]), Tensor.arange(32 * devices) % 10), batchSize: 32)
    try trainer.fit(ConvNet(), train: loader)
    if trainer.isGlobalZero { strategy.result.print() }
  }
}
