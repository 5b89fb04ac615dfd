public import Stratagem

/// What the flags say about the data.
public struct DataSettings: Sendable, Hashable {
  /// What the data are for.
  public var stage: Stage
  /// The file named by `--data`; nil for the program's own.
  public var path: String?
  /// Samples in a batch of each rank; at least 1.
  public var batchSize: Int
  /// Whether training samples come in a new order in each epoch.
  public var shuffle: Bool
  /// What the order depends on.
  public var seed: UInt64

  public init(stage: Stage, path: String? = nil, batchSize: Int, shuffle: Bool = false, seed: UInt64 = 0) {
    self.stage = stage
    self.path = path
    self.batchSize = batchSize
    self.shuffle = shuffle
    self.seed = seed
  }
}
