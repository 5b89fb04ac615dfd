/// One rank's part of the samples, dealt like cards: rank r of W gets positions r, r + W, r + 2W, ...
public struct Shard: Hashable, Sendable {
  /// What happens when the samples cannot be dealt evenly.
  public enum Policy: String, Sendable, CaseIterable {
    /// Samples from the start are repeated until all ranks have the same number: for training, as PyTorch's
    /// `DistributedSampler` does.
    case padded
    /// No sample is repeated; the last ranks may have one fewer: for evaluation that counts every sample once.
    case unrepeated
    /// The samples at the end that do not go round are left out.
    case dropped
  }

  /// Whose part, in 0..<worldSize.
  public let rank: Int
  /// The number of parts; at least 1.
  public let worldSize: Int
  /// What happens when the samples cannot be dealt evenly.
  public let policy: Policy

  /// Creates the description of one rank's part.
  public init(rank: Int, of worldSize: Int, policy: Policy) {
    precondition(
      worldSize > 0 && (0..<worldSize).contains(rank),
      "rank \(rank) of \(worldSize); give a worldSize of at least 1 and a rank below it")
    self.rank = rank
    self.worldSize = worldSize
    self.policy = policy
  }

  /// The number of samples of this part when there are `total`.
  public func count(of total: Int) -> Int {
    switch policy {
    case .padded: (total + worldSize - 1) / worldSize
    case .unrepeated: (max(0, total - rank) + worldSize - 1) / worldSize
    case .dropped: total / worldSize
    }
  }

  /// This part of the samples.
  public func select(from indices: [Int]) -> [Int] {
    guard !indices.isEmpty else { return [] }
    return [Int](unsafeUninitializedCapacity: count(of: indices.count)) { buffer, initialized in
      // A position past the end, which only padding reaches, starts again from the first sample.
      for place in buffer.indices { buffer[place] = indices[(rank + place * worldSize) % indices.count] }
      initialized = buffer.count
    }
  }
}
