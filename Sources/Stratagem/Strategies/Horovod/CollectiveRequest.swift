internal import Torch

/// What a rank is about to do with the others of its group.
struct CollectiveRequest: Equatable {
  enum Kind: Int {
    case allreduce = 1
    case allgather, broadcast, alltoall, gradients, deltas, join

    var label: String {
      switch self {
      case .allreduce: "allreduce"
      case .allgather: "allgather"
      case .broadcast: "broadcast"
      case .alltoall: "alltoall"
      case .gradients: "the reduction of gradients"
      case .deltas: "Adasum of updates"
      case .join: "join"
      }
    }

    /// Whether a rank that has joined can take part, with zeros.
    var acceptsZeros: Bool { self == .allreduce || self == .gradients || self == .deltas || self == .join }
  }

  var kind: Kind
  /// The name, as far as only this rank knows it; the others have its hash.
  var name: String
  var nameHash: Int
  /// A root, an operation, or the fingerprint of the tensors of an optimizer.
  var detail = 0
  var dtype = DType.float32
  var shape: [Int] = []
  /// For a rank that has joined, when: the number of agreements before it.
  var round = 0

  static let length = 16
  private static let dimensions = 9

  init(_ kind: Kind, _ name: String, detail: Int = 0, dtype: DType = .float32, shape: [Int] = [], round: Int = 0) {
    self.kind = kind
    self.name = name
    self.detail = detail
    self.dtype = dtype
    self.shape = shape
    self.round = round
    var hash: UInt64 = 0xcbf2_9ce4_8422_2325
    for byte in name.utf8 { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01b3 }
    nameHash = Int(Int64(bitPattern: hash))
  }

  /// Nil when numbers are none of a request.
  init?(_ numbers: [Int]) {
    guard numbers.count == Self.length, let kind = Kind(rawValue: numbers[0]),
      let dtype = DType(rawValue: Int8(truncatingIfNeeded: numbers[3])), (0...Self.dimensions).contains(numbers[5])
    else { return nil }
    self.kind = kind
    name = ""
    nameHash = numbers[1]
    detail = numbers[2]
    self.dtype = dtype
    round = numbers[4]
    shape = Array(numbers[6..<(6 + numbers[5])])
  }

  var numbers: [Int] {
    let sizes = shape.prefix(Self.dimensions)
    return [kind.rawValue, nameHash, detail, Int(dtype.rawValue), round, sizes.count] + sizes
      + [Int](repeating: 0, count: Self.length - 6 - sizes.count)
  }

  /// Whether two ranks are about to do the same.
  func agrees(with other: CollectiveRequest) -> Bool {
    kind == other.kind && nameHash == other.nameHash && detail == other.detail && dtype == other.dtype
      && shape == other.shape
  }

  /// As it stands in messages.
  var text: String {
    switch kind {
    case .join: "join: it has no more data"
    case .gradients, .deltas: "\(kind.label) of \(name)"
    default: "\(kind.label) '\(name)' of \(dtype) \(shape.map { $0 < 0 ? "any" : "\($0)" })".replacing("\"", with: "")
    }
  }
}
