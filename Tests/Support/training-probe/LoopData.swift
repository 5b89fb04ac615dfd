import Stratagem

/// Samples of four numbers, a label and their own number.
class LoopData: DataModule<[Tensor]> {
  let options: ProbeOptions
  private var asked = 0

  init(_ options: ProbeOptions) { self.options = options }

  override func trainingLoader() -> DataLoader<[Tensor]>? {
    asked += 1
    // New data when asked again.
    return loader(options.int("train", 24), from: options.has("reload") ? 100 * (asked - 1) : 0, shuffle: true)
  }

  override func validationLoaders() -> [DataLoader<[Tensor]>] {
    if options.int("val", 8) < 0 { return [] }
    return (0..<options.int("loaders", 1)).map { loader(options.int("val", 8) + 4 * $0) }
  }

  override func testLoaders() -> [DataLoader<[Tensor]>] { validationLoaders() }

  override func predictLoader() -> DataLoader<[Tensor]>? { loader(options.int("val", 8)) }

  private func loader(_ count: Int, from start: Int = 0, shuffle: Bool = false) -> DataLoader<[Tensor]> {
    let numbers = (4 * start..<4 * (start + count)).map { Float(($0 &* 7919 &+ 13) % 101) / 101 - 0.5 }
    let labels = (start..<start + count).map { Int64($0 % 3) }
    return DataLoader(
      TensorDataset(
        Tensor(numbers, shape: [count, 4]), Tensor(labels), Tensor((start..<start + count).map(Int64.init))),
      batchSize: options.int("batch", 4), shuffle: shuffle && options.has("shuffle"),
      seed: options["shuffle"].flatMap { UInt64($0) })
  }
}
