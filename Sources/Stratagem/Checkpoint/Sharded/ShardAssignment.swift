internal import Torch

/// Who writes which elements of which tensor.
///
/// What one rank alone holds it writes itself; what several ranks hold they share by bytes.
struct ShardAssignment {
  /// Elements that a rank holds.
  struct Offer: Codable {
    let key: String
    let dtype: String
    let shape: [Int]
    let start: Int
    let count: Int
    let isPrimary: Bool
    let owner: ShardManifest.Owner?

    var byteCount: Int { count * (DType(safetensors: dtype)?.byteCount ?? 1) }
  }

  /// Elements that one rank writes.
  struct Share: Hashable {
    /// Place in ``entries``.
    let entry: Int
    let range: Range<Int>
  }

  /// All tensors, in the order in which the ranks name them.
  let entries: [ShardManifest.Entry]
  /// What each rank writes.
  let shares: [[Share]]

  /// A tensor smaller than this is not cut.
  private static let smallestCutByteCount = 1 << 16

  /// - Parameter offers: of each rank.
  /// - Throws: ``CheckpointError`` when the ranks do not hold all of a tensor, or not the same one.
  init(_ offers: [[Offer]], path: String) throws {
    var numbers: [String: Int] = [:]
    var entries: [ShardManifest.Entry] = []
    var holders: [[Range<Int>: [Int]]] = []
    for (rank, own) in offers.enumerated() {
      for offer in own {
        let number = numbers[offer.key] ?? entries.count
        if number == entries.count {
          numbers[offer.key] = number
          entries.append(.init(key: offer.key, dtype: offer.dtype, shape: offer.shape, owner: offer.owner))
          holders.append([:])
        }
        guard entries[number].shape == offer.shape, entries[number].dtype == offer.dtype else {
          throw CheckpointError(
            path: path,
            reason: "cannot be written: '\(offer.key)' is \(offer.dtype) of shape \(offer.shape) on rank \(rank), and "
              + "\(entries[number].dtype) of shape \(entries[number].shape) on another")
        }
        if offer.isPrimary, offer.count > 0 {
          holders[number][offer.start..<offer.start + offer.count, default: []].append(rank)
        }
      }
    }
    var shares = [[Share]](repeating: [], count: offers.count)
    /// What the same ranks hold.
    var common: [(ranks: [Int], shares: [Share])] = []
    for number in entries.indices {
      try Self.checkCoverage(entries[number], holders[number].keys.sorted { $0.lowerBound < $1.lowerBound }, path)
      for (range, ranks) in holders[number].sorted(by: { $0.key.lowerBound < $1.key.lowerBound }) {
        let share = Share(entry: number, range: range)
        if ranks.count == 1 {
          shares[ranks[0]].append(share)
        } else if let place = common.firstIndex(where: { $0.ranks == ranks }) {
          common[place].shares.append(share)
        } else {
          common.append((ranks, [share]))
        }
      }
    }
    for group in common { Self.deal(group.shares, to: group.ranks, entries, &shares) }
    self.entries = entries
    self.shares = shares
  }

  private static func checkCoverage(_ entry: ShardManifest.Entry, _ ranges: [Range<Int>], _ path: String) throws {
    var next = 0
    for range in ranges {
      guard range.lowerBound == next else {
        throw CheckpointError(
          path: path,
          reason: range.lowerBound > next
            ? "cannot be written: no rank holds elements \(next)..<\(range.lowerBound) of '\(entry.key)'"
            : "cannot be written: ranks hold overlapping parts of '\(entry.key)', from elements \(range.lowerBound) on")
      }
      next = range.upperBound
    }
    let count = entry.shape.reduce(1, *)
    guard next == count else {
      throw CheckpointError(
        path: path, reason: "cannot be written: no rank holds elements \(next)..<\(count) of '\(entry.key)'")
    }
  }

  /// Cuts the tensors, laid end to end, into parts of equal bytes.
  private static func deal(
    _ group: [Share], to ranks: [Int], _ entries: [ShardManifest.Entry], _ shares: inout [[Share]]
  ) {
    func size(_ share: Share) -> Int { DType(safetensors: entries[share.entry].dtype)?.byteCount ?? 1 }
    let total = group.reduce(0) { $0 + $1.range.count * size($1) }
    var (place, written) = (0, 0)
    for share in group {
      let size = size(share)
      var rest = share.range
      while !rest.isEmpty {
        let end = total * (place + 1) / ranks.count
        if written >= end, place + 1 < ranks.count {
          place += 1
          continue
        }
        var count = rest.count
        if place + 1 < ranks.count, rest.count * size > smallestCutByteCount {
          count = min(count, max(1, (end - written) / size))
        }
        shares[ranks[place]].append(Share(entry: share.entry, range: rest.lowerBound..<rest.lowerBound + count))
        written += count * size
        rest = rest.lowerBound + count..<rest.upperBound
      }
    }
  }
}
