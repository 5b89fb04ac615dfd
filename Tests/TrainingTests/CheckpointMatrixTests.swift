import Foundation
import Testing

/// Checkpoints of every strategy on every number of ranks, which every strategy goes on from.
@Suite("Checkpoints under any strategy and number of ranks")
struct CheckpointMatrixTests {
  private struct Place: Hashable {
    let strategy: String
    let ranks: Int
    var folder: String { "save-\(strategy)-\(ranks)" }
  }

  private static let strategies = [
    "ddp", "ddp_sharded", "fsdp", "deepspeed_stage_1", "deepspeed_stage_2", "deepspeed_stage_3",
  ]
  /// Those of one process.
  private static let single = [Place(strategy: "single_device", ranks: 1), Place(strategy: "dp", ranks: 1)]
  private static let hybrid = Place(strategy: "fsdp-hybrid", ranks: 4)
  private static let rankCounts = [1, 2, 3]

  private static var places: [Place] {
    rankCounts.flatMap { ranks in strategies.map { Place(strategy: $0, ranks: ranks) } } + single + [hybrid]
  }

  /// Every strategy after every other one, so that each is source and target on each number of ranks, and all numbers of
  /// ranks follow all others.
  private static var pairs: [(source: Place, target: Place)] {
    var pairs: [(source: Place, target: Place)] = []
    for (i, source) in strategies.enumerated() {
      for (j, target) in strategies.enumerated() {
        pairs.append(
          (
            Place(strategy: source, ranks: rankCounts[(i + 2 * j + i / 3) % 3]),
            Place(strategy: target, ranks: rankCounts[(i + j + j / 3) % 3])
          ))
      }
    }
    // The same place again, where random numbers go on, too.
    for place in places { pairs.append((place, place)) }
    for (number, place) in places.enumerated() {
      pairs.append(number % 2 == 0 ? (place, single[number / 2 % 2]) : (single[number / 2 % 2], place))
    }
    pairs.append((hybrid, Place(strategy: "deepspeed_stage_3", ranks: 3)))
    pairs.append((Place(strategy: "fsdp", ranks: 3), hybrid))
    return pairs
  }

  private static func run(_ ranks: Int, _ tasks: [String], _ folder: TemporaryFolder) throws {
    guard !tasks.isEmpty else { return }
    try ProbeRun(
      "matrix", ranks, options: ["tasks=\(tasks.joined(separator: ","))", "schedule=cosine", "tied"], folder: folder
    ).succeeded()
  }

  @Test("Saved in the middle of an epoch as a folder and as a file, resumed by all others: losses and random numbers")
  func matrix() throws {
    let folder = try TemporaryFolder()
    let sizes = Self.rankCounts + [4]
    for ranks in sizes {
      try Self.run(ranks, Self.places.filter { $0.ranks == ranks }.map { "save:\($0.strategy)" }, folder)
    }
    let expected = try losses(folder, "save-single_device-1")
    try #require(expected.count == 12)
    for place in Self.places { try expectEqual(losses(folder, place.folder), expected[...], place.folder) }
    // Both forms of each checkpoint are read in turn.
    var uses: [Place: Int] = [:]
    for ranks in sizes {
      let own = Self.pairs.filter { $0.target.ranks == ranks }
      let tasks = own.map { source, target in
        uses[source, default: 0] += 1
        let form = uses[source, default: 0] % 2 == 0 ? "file" : "folder"
        return "resume:\(target.strategy):\(folder.path)/\(source.folder)/\(form).ckpt"
      }
      try Self.run(ranks, tasks, folder)
      for (number, (source, target)) in own.enumerated() {
        let name = "resume-\(number)-\(target.strategy)-\(ranks)"
        let what = "\(tasks[number]) on \(ranks)"
        try expectEqual(losses(folder, name), expected.dropFirst(8), what)
        // Every rank that had been there draws the numbers that it would have drawn; dp itself draws for its replicas.
        let (found, all) = (draws(folder, name), draws(folder, source.folder))
        #expect(found.count == 4 && all.count == 12, "\(what)")
        for (one, other) in zip(found, all.suffix(4)) where (source.strategy == "dp") == (target.strategy == "dp") {
          let known = min(one.count, other.count)
          #expect(Array(one.prefix(known)) == Array(other.prefix(known)), "\(what)")
        }
      }
    }
  }

  private func losses(_ folder: TemporaryFolder, _ name: String) throws -> [Double] {
    try MetricsFile("\(folder.path)/\(name)/metrics.csv").values("train/loss")
  }

  /// The step, and the number that each rank drew in it.
  private func draws(_ folder: TemporaryFolder, _ name: String) -> [[String]] {
    folder.text("\(name)/draws").split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
  }

  private func expectEqual(_ found: [Double], _ expected: ArraySlice<Double>, _ what: String) throws {
    try #require(found.count == expected.count, "\(what)")
    for (found, expected) in zip(found, expected) { expectClose(found, expected, within: 1e-9, "\(what)") }
  }
}
