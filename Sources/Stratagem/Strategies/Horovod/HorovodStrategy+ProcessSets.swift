internal import TorchDistributed

extension HorovodStrategy {
  /// Gives some ranks a group of their own. Called on all ranks with the same numbers.
  ///
  /// - Throws: ``ConfigurationError`` for ranks that there are not, ``HorovodError`` when the ranks name different ones.
  @discardableResult
  public func addProcessSet(_ ranks: [Int]) throws -> ProcessSet {
    if let error = ConfigurationError(HorovodStrategy.problems(of: ranks, worldSize: worldSize)) { throw error }
    let ranks = ranks.sorted()
    let all = try allGather(object: ranks)
    guard all.allSatisfy({ $0 == ranks }) else {
      throw HorovodError.differentCollectives(
        all.enumerated().map { "rank \($0): a process set of the ranks \($1)" })
    }
    let set = try makeSet(ranks, "set \(processSets.count + 1)", number: processSets.count + 1)
    processSets.append(set)
    return set
  }

  /// A group of some ranks; only they take part.
  func makeSet(_ ranks: [Int], _ name: String, number: Int = -1) throws -> ProcessSet {
    guard ranks.contains(rank), let place = launcher.world else { return ProcessSet(ranks, number: number, nil) }
    let activity = group?.activity ?? CollectiveActivity()
    let group = try place.makeGroup(name, of: ranks, timeout: timeout, activity: activity)
    return ProcessSet(ranks, number: number, group)
  }

  static func problems(of ranks: [Int], worldSize: Int) -> [ConfigurationError.Problem] {
    let isUsable = !ranks.isEmpty && Set(ranks).count == ranks.count && ranks.allSatisfy((0..<worldSize).contains)
    if isUsable { return [] }
    return [
      .init(
        "processSets", "a process set of the ranks \(ranks) cannot be made of \(worldSize) ranks",
        suggestion: "name each of some ranks from 0 to \(worldSize - 1) once")
    ]
  }
}
