/// Which elements of a unit each rank keeps, and where they are in the gathered unit: arithmetic only.
///
/// The gathered unit is one vector with all parameters in it; each parameter is a contiguous part of that. A rank's shard is
/// the vector of its pieces in the order of the parameters.
public struct UnitPartition: Hashable, Sendable {
  /// A rank's part of a parameter.
  public struct Piece: Hashable, Sendable {
    /// Elements of the parameter, in row-major order; empty when the rank has none.
    public let range: Range<Int>
    /// Where they begin in the rank's shard.
    public let offset: Int
  }

  /// The elements of each parameter.
  public let counts: [Int]
  /// Where each parameter begins in the gathered unit.
  public let offsets: [Int]
  /// The part of each rank in each parameter: `pieces[rank][parameter]`.
  public let pieces: [[Piece]]
  /// The elements of each rank's shard.
  public let shardCounts: [Int]
  /// Where each rank's shard is in the gathered unit; nil when its pieces are not side by side there.
  public let regions: [Range<Int>]?

  /// The elements of the gathered unit.
  public var fullCount: Int { counts.reduce(0, +) }
  public var rankCount: Int { pieces.count }

  /// Deals the elements of some parameters.
  ///
  /// - Parameters:
  ///   - counts: the elements of each parameter.
  ///   - ranks: among how many; they need not divide anything.
  ///   - loads: the elements that each rank has already, for ``ShardLayout/wholeParameters``; the new ones are added.
  public init(counts: [Int], ranks: Int, layout: ShardLayout, loads: inout [Int]) {
    precondition(ranks > 0, "a partition is for at least one rank")
    switch layout {
    case .flat: self.init(flat: counts, ranks)
    case .perParameter: self.init(perParameter: counts, ranks)
    case .wholeParameters: self.init(whole: counts, ranks, &loads)
    }
  }

  /// Deals the elements of some parameters to ranks that have nothing yet.
  public init(counts: [Int], ranks: Int, layout: ShardLayout) {
    var loads = Array(repeating: 0, count: ranks)
    self.init(counts: counts, ranks: ranks, layout: layout, loads: &loads)
  }

  private init(flat counts: [Int], _ ranks: Int) {
    let offsets = Self.starts(of: counts)
    let total = counts.reduce(0, +)
    let part = (total + ranks - 1) / ranks
    let regions = (0..<ranks).map { min($0 * part, total)..<min(($0 + 1) * part, total) }
    let ranges = regions.map { region in
      zip(offsets, counts).map { offset, count in
        let start = min(max(region.lowerBound - offset, 0), count)
        return start..<max(start, min(region.upperBound - offset, count))
      }
    }
    self.init(counts: counts, offsets: offsets, ranges: ranges, regions: regions)
  }

  private init(perParameter counts: [Int], _ ranks: Int) {
    let ranges = (0..<ranks).map { rank in
      counts.map { count in
        let part = (count + ranks - 1) / ranks
        return min(rank * part, count)..<min((rank + 1) * part, count)
      }
    }
    let isOne = ranks == 1 || counts.count == 1
    let regions: [Range<Int>]? = isOne ? ranges.map { ranks == 1 ? 0..<counts.reduce(0, +) : $0[0] } : nil
    self.init(counts: counts, offsets: Self.starts(of: counts), ranges: ranges, regions: regions)
  }

  private init(whole counts: [Int], _ ranks: Int, _ loads: inout [Int]) {
    var owners: [Int] = []
    for count in counts {
      let owner = loads.indices.min { (loads[$0], $0) < (loads[$1], $1) } ?? 0
      owners.append(owner)
      loads[owner] += count
    }
    // In the gathered unit the parameters of a rank are side by side.
    var offsets = Array(repeating: 0, count: counts.count)
    var regions: [Range<Int>] = []
    var next = 0
    for rank in 0..<ranks {
      let start = next
      for (index, owner) in owners.enumerated() where owner == rank {
        offsets[index] = next
        next += counts[index]
      }
      regions.append(start..<next)
    }
    let ranges = (0..<ranks).map { rank in zip(owners, counts).map { 0..<($0 == rank ? $1 : 0) } }
    self.init(counts: counts, offsets: offsets, ranges: ranges, regions: regions)
  }

  private init(counts: [Int], offsets: [Int], ranges: [[Range<Int>]], regions: [Range<Int>]?) {
    self.counts = counts
    self.offsets = offsets
    self.regions = regions
    var pieces: [[Piece]] = []
    var shardCounts: [Int] = []
    for own in ranges {
      var next = 0
      pieces.append(
        own.map { range in
          defer { next += range.count }
          return Piece(range: range, offset: next)
        })
      shardCounts.append(next)
    }
    self.pieces = pieces
    self.shardCounts = shardCounts
  }

  private static func starts(of counts: [Int]) -> [Int] {
    var next = 0
    return counts.map { count in
      defer { next += count }
      return next
    }
  }
}
