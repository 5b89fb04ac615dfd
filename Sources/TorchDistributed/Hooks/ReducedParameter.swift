public import Torch

/// A parameter whose gradient is reduced, as a hook and the other ranks know it.
public struct ReducedParameter: Hashable, Sendable {
  /// Its name in the module.
  public let name: String
  public let shape: [Int]
  /// The type in which its gradient reaches the hook.
  public let dtype: DType

  public init(name: String, shape: [Int], dtype: DType) {
    self.name = name
    self.shape = shape
    self.dtype = dtype
  }
}

extension ReducedParameter: CustomStringConvertible {
  public var description: String { "'\(name)' \(shape) \(dtype)" }
}

extension [ReducedParameter] {
  /// Makes sure that all ranks train the same parameters in the same order. Called on all ranks, of which then all or none
  /// throw.
  ///
  /// - Throws: ``DistributedError`` that tells the first difference from rank 0.
  public func requireEqual(in group: ProcessGroup) throws {
    guard group.size > 1 else { return }
    let own = map(\.description).joined(separator: "\n")
    let all = try group.allGather(bytes: [UInt8](own.utf8)).map { String(decoding: $0, as: UTF8.self) }
    let lists = all.map { $0.split(separator: "\n", omittingEmptySubsequences: true) }
    for rank in 1..<group.size where lists[rank] != lists[0] {
      throw DistributedError(
        operation: "gradient reducer", rank: group.rank,
        message: Self.difference(lists[0], lists[rank], rank)
          + "; all ranks must build and freeze the same module")
    }
  }

  private static func difference(_ first: [Substring], _ other: [Substring], _ rank: Int) -> String {
    if first.count != other.count {
      let counts = "\(other.count) parameters require a gradient on rank \(rank) and \(first.count) on rank 0"
      let alone = first.count > other.count ? Set(first).subtracting(other) : Set(other).subtracting(first)
      return counts + (alone.min().map { "; only one has \($0)" } ?? "")
    }
    let place = first.indices.first { first[$0] != other[$0] } ?? 0
    return "parameter \(place) is \(other[place]) on rank \(rank) and \(first[place]) on rank 0"
  }
}
