internal import Torch
internal import TorchNN
internal import TorchOptim

/// Elements of parameters that are updated together, while the state of the others is elsewhere.
final class SubGroup {
  /// Some elements of a parameter.
  struct Piece {
    let parameter: AnyParameter
    /// Which parameter of its group.
    let position: Int
    let range: Range<Int>
    /// Where they begin in the vectors of the sub-group.
    let offset: Int
    /// Where the elements and their gradient are; nil for those that the parameter holds.
    var stored: (parameter: StoredParameter, piece: StoredParameter.Piece)?
    /// What the optimizer keeps besides vectors, such as a step count; empty before the first update.
    var scalars: ArchiveDictionary = [:]
    /// Whether there is state at all.
    var hasState = false
  }

  let name: String
  let group: ParameterGroup
  var pieces: [Piece]
  /// The elements of its vectors.
  let count: Int
  /// Where the elements as the optimizer updates them are; nil when the parameters hold those.
  var master: ShardSlot?
  /// Where the vectors of state are, by their names in the optimizer.
  var states: [String: ShardSlot] = [:]

  init(name: String, group: ParameterGroup, pieces: [Piece]) {
    self.name = name
    self.group = group
    self.pieces = pieces
    count = pieces.last.map { $0.offset + $0.range.count } ?? 0
  }

  /// What pieces begin at multiples of: within it, kernels treat elements alike.
  static let granularity = 64

  /// Deals the parameters of a group to sub-groups of at most `limit` elements; a parameter with more is cut. The pieces of a
  /// parameter that is in a store are not cut again.
  static func make(of group: ParameterGroup, number: Int, limit: Int) -> [SubGroup] {
    var deal = Deal(group: group, number: number, limit: max(limit / granularity * granularity, granularity))
    for (position, parameter) in group.parameters.enumerated() {
      if let stored = parameter.stored {
        for piece in stored.pieces { deal.add(parameter, position, piece.range, (stored, piece)) }
      } else {
        deal.add(parameter, position)
      }
    }
    return deal.finish()
  }

  /// Sub-groups in the making.
  private struct Deal {
    let group: ParameterGroup
    let number: Int
    let limit: Int
    private var result: [SubGroup] = []
    private var pieces: [Piece] = []
    private var used = 0

    init(group: ParameterGroup, number: Int, limit: Int) {
      self.group = group
      self.number = number
      self.limit = limit
    }

    private mutating func close() {
      guard !pieces.isEmpty else { return }
      result.append(SubGroup(name: "sub-group \(result.count) of group \(number)", group: group, pieces: pieces))
      pieces = []
      used = 0
    }

    private mutating func append(_ piece: Piece, _ granularity: Int) {
      pieces.append(piece)
      used += (piece.range.count + granularity - 1) / granularity * granularity
    }

    mutating func add(_ parameter: AnyParameter, _ position: Int) {
      let count = parameter.tensor.count
      var start = 0
      while start < count {
        if used >= limit { close() }
        let length = min(count - start, limit - used)
        append(
          Piece(parameter: parameter, position: position, range: start..<start + length, offset: used),
          SubGroup.granularity)
        start += length
      }
    }

    mutating func add(
      _ parameter: AnyParameter, _ position: Int, _ range: Range<Int>,
      _ stored: (StoredParameter, StoredParameter.Piece)
    ) {
      let alignment = StoredParameter.granularity
      used = (used + alignment - 1) / alignment * alignment
      if used > 0, used + range.count > limit { close() }
      append(
        Piece(parameter: parameter, position: position, range: range, offset: used, stored: stored), alignment)
    }

    mutating func finish() -> [SubGroup] {
      close()
      return result
    }
  }
}
