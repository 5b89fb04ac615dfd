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

  /// Deals the parameters of a group to sub-groups of at most `limit` elements; a parameter with more is cut.
  static func make(of group: ParameterGroup, number: Int, limit: Int) -> [SubGroup] {
    let limit = max(limit / granularity * granularity, granularity)
    var result: [SubGroup] = []
    var pieces: [Piece] = []
    var used = 0
    func close() {
      guard !pieces.isEmpty else { return }
      result.append(SubGroup(name: "sub-group \(result.count) of group \(number)", group: group, pieces: pieces))
      pieces = []
      used = 0
    }
    for (position, parameter) in group.parameters.enumerated() {
      var start = 0
      let count = parameter.tensor.count
      while start < count {
        if used >= limit { close() }
        let length = min(count - start, limit - used)
        pieces.append(
          Piece(parameter: parameter, position: position, range: start..<start + length, offset: used))
        start += length
        used += (length + granularity - 1) / granularity * granularity
      }
    }
    close()
    return result
  }
}
