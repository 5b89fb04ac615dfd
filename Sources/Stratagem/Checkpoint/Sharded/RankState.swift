internal import Torch
internal import TorchOptim

/// State of an optimizer of which every rank has its own.
///
/// In a checkpoint it is a tensor with a row for each rank, and its name ends in `_of_ranks`. A rank has its row, a tensor
/// of shape [1, elements]; a run of as many ranks goes on with the rows.
enum RankState {
  /// What a rank finds in a checkpoint.
  enum Saved {
    /// What it had itself.
    case own(Tensor)
    /// The rows of the ranks of a run of another size.
    case ofOthers(Tensor)
  }

  private static let suffix = "_of_ranks"

  /// The name in a checkpoint.
  static func name(_ base: String) -> String { base + suffix }

  /// What the name in a checkpoint was made of; nil for the name of something else.
  static func base(of name: String) -> String? {
    name.hasSuffix(suffix) ? String(name.dropLast(suffix.count)) : nil
  }

  /// - Parameter tensor: a row, or all rows.
  static func saved(_ tensor: Tensor, rank: Int, of count: Int) -> Saved {
    let rows = tensor.shape.first ?? 0
    if rows == 1 { return .own(tensor) }
    return rows == count ? .own(tensor.selected(dim: 0, index: rank)) : .ofOthers(tensor)
  }

  /// The piece of a checkpoint that a rank's row is.
  static func piece(_ row: Tensor, rank: Int, of count: Int) -> TensorPiece {
    TensorPiece(
      shape: [count, row.count], range: rank * row.count..<(rank + 1) * row.count, tensor: row, isPrimary: true)
  }

  /// Replaces the rows in the state of an optimizer; without a replacement they are left out.
  static func mapped(_ state: ArchiveValue, _ replace: (Tensor) throws -> Tensor?) rethrows -> ArchiveValue {
    guard var own = state.dictionaryValue, var states = own["state"]?.dictionaryValue else { return state }
    for (index, value) in states {
      guard var entries = value.dictionaryValue else { continue }
      for (key, value) in entries where base(of: key.text) != nil {
        guard case .tensor(let row) = value else { continue }
        entries[key] = try replace(row).map { .tensor($0) }
      }
      states[index] = .dictionary(entries)
    }
    own["state"] = .dictionary(states)
    return .dictionary(own)
  }
}

/// An optimizer with state of which every rank has its own.
protocol RankStateKeeping: Optimizer {
  var rankCount: Int { get }
  var rank: Int { get }

  /// Whether a run of another size needs the rows of that name.
  func isForOthers(_ name: String) -> Bool
}
