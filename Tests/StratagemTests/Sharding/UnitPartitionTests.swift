import Testing

@testable import Stratagem

@Suite("Partition plans")
struct UnitPartitionTests {
  static let counts = [
    [7], [1, 1, 1], [0, 5, 3], [64 * 128, 128, 128 * 10, 10], [3, 100, 2, 50, 1], [2_359_296, 768],
  ]
  static let ranks = [1, 2, 3, 4, 5, 7, 8, 16, 64, 1000]

  @Test("Every element is on exactly one rank, in any layout, on any number of ranks", arguments: ShardLayout.allCases)
  func coverage(layout: ShardLayout) {
    for counts in Self.counts {
      for ranks in Self.ranks {
        let plan = UnitPartition(counts: counts, ranks: ranks, layout: layout)
        #expect(plan.fullCount == counts.reduce(0, +))
        #expect(plan.shardCounts.reduce(0, +) == plan.fullCount)
        for index in counts.indices {
          var next = 0
          for rank in 0..<ranks {
            let range = plan.pieces[rank][index].range
            if range.isEmpty { continue }
            #expect(range.lowerBound == next, "\(layout) \(counts) on \(ranks): parameter \(index) of rank \(rank)")
            next = range.upperBound
          }
          #expect(next == counts[index])
        }
        for rank in 0..<ranks {
          var next = 0
          for piece in plan.pieces[rank] {
            #expect(piece.offset == next)
            next += piece.range.count
          }
          #expect(next == plan.shardCounts[rank])
        }
      }
    }
  }

  @Test("The regions of the ranks are their shards", arguments: ShardLayout.allCases)
  func regions(layout: ShardLayout) {
    for counts in Self.counts {
      for ranks in Self.ranks {
        let plan = UnitPartition(counts: counts, ranks: ranks, layout: layout)
        guard let regions = plan.regions else { continue }
        for rank in 0..<ranks {
          #expect(regions[rank].count == plan.shardCounts[rank])
          // Element k of the shard is element k of the region.
          for (index, piece) in plan.pieces[rank].enumerated() where !piece.range.isEmpty {
            #expect(plan.offsets[index] + piece.range.lowerBound == regions[rank].lowerBound + piece.offset)
          }
        }
      }
    }
  }

  @Test("The flat layout is even to one element a rank")
  func balance() {
    for counts in Self.counts {
      for ranks in Self.ranks {
        let plan = UnitPartition(counts: counts, ranks: ranks, layout: .flat)
        #expect((plan.shardCounts.max() ?? 0) == (plan.fullCount + ranks - 1) / ranks)
      }
    }
  }

  @Test("Cut by hand")
  func byHand() {
    let flat = UnitPartition(counts: [5, 6], ranks: 3, layout: .flat)
    #expect(flat.pieces.map { $0.map(\.range) } == [[0..<4, 0..<0], [4..<5, 0..<3], [5..<5, 3..<6]])
    #expect(flat.shardCounts == [4, 4, 3])
    let each = UnitPartition(counts: [5, 6], ranks: 3, layout: .perParameter)
    #expect(each.pieces.map { $0.map(\.range) } == [[0..<2, 0..<2], [2..<4, 2..<4], [4..<5, 4..<6]])
    var loads = [10, 0, 3]
    let whole = UnitPartition(counts: [5, 6], ranks: 3, layout: .wholeParameters, loads: &loads)
    #expect(whole.pieces.map { $0.map(\.range) } == [[0..<0, 0..<0], [0..<5, 0..<0], [0..<0, 0..<6]])
    #expect(loads == [10, 5, 9])
  }

  @Test("Whole parameters go to the rank that has least, over all units")
  func wholeParametersAreBalanced() {
    var loads = [0, 0, 0, 0]
    for unit in 0..<40 {
      _ = UnitPartition(counts: [100 + unit, 10], ranks: 4, layout: .wholeParameters, loads: &loads)
    }
    #expect((loads.max() ?? 0) - (loads.min() ?? 0) <= 200)
  }
}
