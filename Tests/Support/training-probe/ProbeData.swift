import Glibc
import Stratagem

/// Samples that depend on their number alone.
final class ProbeData: DataModule<[Tensor]> {
  private let options: ProbeOptions
  private let recorder: HookRecorder
  private let rank: () -> Int

  init(_ options: ProbeOptions, _ recorder: HookRecorder, rank: @escaping () -> Int) {
    self.options = options
    self.recorder = recorder
    self.rank = rank
  }

  override func prepareData() {
    recorder.note("data prepareData", rank: rank())
    if let seconds = options.double("prepare-seconds") { usleep(UInt32(seconds * 1e6)) }
  }

  override func setup(_ stage: Stage) {
    recorder.note("data setup \(stage)", rank: rank())
    if stage == .fit, options["print"] == "lines" {
      print("a line of rank \(rank())")
      if rank() > 0 { print("unfinished", terminator: "") }
    }
  }

  override func teardown(_ stage: Stage) { recorder.note("data teardown \(stage)", rank: rank()) }

  override func trainingLoader() -> DataLoader<[Tensor]>? {
    if options.has("no-training-data") { return nil }
    // Every rank brings samples of its own, one batch more on each.
    let extra = options.has("ragged") ? rank() * 2 * options.devices * options.int("batch", 4) : 0
    return loader(
      options.int("train", 24) + extra, shuffle: options.has("shuffle"), dropLast: options.has("drop-last"))
  }

  override func validationLoader() -> DataLoader<[Tensor]>? {
    options.int("val", 10) < 0 ? nil : loader(options.int("val", 10))
  }

  override func testLoader() -> DataLoader<[Tensor]>? { loader(options.int("val", 10)) }

  override func predictLoader() -> DataLoader<[Tensor]>? { loader(options.int("val", 10)) }

  private func loader(_ count: Int, shuffle: Bool = false, dropLast: Bool = false) -> DataLoader<[Tensor]> {
    let numbers = (0..<4 * count).map { Float(($0 &* 7919 &+ 13) % 101) / 101 - 0.5 }
    let labels = (0..<count).map { Int64($0 % 3) }
    return DataLoader(
      TensorDataset(Tensor(numbers, shape: [count, 4]), Tensor(labels)), batchSize: options.int("batch", 4),
      shuffle: shuffle, dropLast: dropLast, seed: 5)
  }
}
