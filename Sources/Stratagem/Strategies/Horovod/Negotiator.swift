internal import Torch
internal import TorchDistributed

/// Lets the ranks of a group tell each other what they are about to do, so that ranks which do different things end with
/// an error that says so, and a rank without data can contribute zeros to what the others do.
///
/// One small all-gather; it can be under way while a rank still computes.
final class Negotiator {
  let group: ProcessGroup
  /// The global numbers of the group's ranks.
  private let ranks: [Int]
  private var pending: (request: CollectiveRequest, answers: Tensor, work: Work)?
  /// How many agreements there have been: the same on all ranks.
  private(set) var rounds = 0

  init(_ group: ProcessGroup, ranks: [Int]) {
    self.group = group
    self.ranks = ranks
  }

  /// Says what this rank is about to do; waits for nothing but what the others said to an earlier announcement.
  func announce(_ request: CollectiveRequest) throws {
    if pending != nil { try conclude() }
    let answers = Tensor.zeros([group.size * CollectiveRequest.length], dtype: .int64)
    pending = (request, answers, try group.startAllGather(into: answers, from: Tensor(request.numbers)))
  }

  /// Waits for what the others said.
  ///
  /// - Returns: the requests of all ranks, which agree, apart from those that have joined.
  /// - Throws: ``HorovodError`` on all ranks when they do not.
  @discardableResult
  func conclude() throws -> [CollectiveRequest] {
    guard let pending else { return [] }
    self.pending = nil
    try group.activity.about("what each rank is about to do (here \(pending.request.text))") { try pending.work.wait() }
    rounds += 1
    let numbers = try pending.answers.array(as: Int.self)
    let requests = (0..<group.size).compactMap { rank in
      CollectiveRequest(
        Array(numbers[(rank * CollectiveRequest.length)..<((rank + 1) * CollectiveRequest.length)]))
    }
    let active = requests.filter { $0.kind != .join }
    let isAgreed = requests.count == group.size && active.allSatisfy { $0.agrees(with: active[0]) }
    let isPossible = active.count == requests.count || active.allSatisfy(\.kind.acceptsZeros)
    if isAgreed && isPossible { return requests }
    let texts = try group.allGather(object: pending.request.text)
    throw HorovodError.differentCollectives(zip(ranks, texts).map { "rank \($0): \($1)" })
  }

  /// Says what this rank is about to do, and waits for the others.
  @discardableResult
  func agree(on request: CollectiveRequest) throws -> [CollectiveRequest] {
    guard group.size > 1 else { return [request] }
    try announce(request)
    return try conclude()
  }
}
