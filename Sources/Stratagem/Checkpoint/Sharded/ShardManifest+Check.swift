internal import Torch

/// What shows that a manifest is not what was written, or cannot be true.
extension ShardManifest {
  /// The first bytes of the file, up to the checksum: eight hexadecimal digits, CRC-32C of everything behind them.
  private static let sealStart = Array("{\"manifestChecksum\":\"".utf8)
  private static let sealDigitCount = 8

  /// Puts a checksum of itself at the beginning of a JSON object.
  ///
  /// - Parameter json: an object with at least one member.
  static func sealed(_ json: [UInt8]) -> [UInt8] {
    let rest = Array("\",".utf8) + json.dropFirst()
    return sealStart + digits(of: rest[...]) + rest
  }

  /// Why the bytes of a file are not those that were written; nil when they are.
  static func faultOfSeal(_ json: [UInt8]) -> String? {
    let end = sealStart.count + sealDigitCount
    guard json.count > end, isSealed(json) else {
      return "it does not begin with a checksum of itself, as what this program writes does"
    }
    return Array(json[sealStart.count..<end]) == digits(of: json[end...]) ? nil : "its checksum does not match"
  }

  /// Whether a file begins as if a checksum of itself followed.
  static func isSealed(_ json: [UInt8]) -> Bool { json.starts(with: sealStart) }

  private static func digits(of bytes: ArraySlice<UInt8>) -> [UInt8] {
    let text = String(bytes.withUnsafeBytes { BlockChecksums.checksum(of: $0) }, radix: 16)
    return Array((String(repeating: "0", count: sealDigitCount - text.count) + text).utf8)
  }

  /// Bytes of a file.
  private struct Extent {
    let file: Int
    let offset: Int
    let end: Int
    let key: String
  }

  /// What cannot be true in it; nil when everything can.
  var fault: String? { faultOfFiles ?? faultOfTensors ?? faultOfNames }

  private var faultOfFiles: String? {
    var names: Set<String> = [Self.fileName]
    for (name, bytes) in files.map({ ($0.name, $0.bytes) }) + [(common.name, common.bytes)] {
      guard !name.isEmpty, !name.contains("/"), name != ".", name != ".." else {
        return "'\(name)' is no name of a file beside it"
      }
      guard names.insert(name).inserted else { return "the file \(name) stands twice in it" }
      guard bytes >= 0 else { return "\(name) has \(bytes) bytes" }
    }
    for file in files {
      guard file.blockBytes > 0,
        file.bytes == 0 && file.checksums.isEmpty
          || file.bytes > 0 && file.checksums.count == (file.bytes - 1) / file.blockBytes + 1
      else { return "the checksums of \(file.name) do not fit its size" }
    }
    return worldSize < max(1, files.count) ? "\(files.count) files are of \(worldSize) ranks" : nil
  }

  private var faultOfTensors: String? {
    var extents: [Extent] = []
    for entry in tensors {
      guard let dtype = DType(safetensors: entry.dtype) else {
        return "'\(entry.key)' has type \(entry.dtype), which does not exist here"
      }
      guard let count = Self.elementCount(entry.shape) else { return "'\(entry.key)' has no possible shape" }
      var next = 0
      for piece in entry.pieces {
        guard piece.start == next, piece.count >= 0, piece.count <= count - next, files.indices.contains(piece.file),
          piece.offset >= 0, piece.offset <= files[piece.file].bytes,
          piece.count * dtype.byteCount <= files[piece.file].bytes - piece.offset
        else { return "the pieces of '\(entry.key)' do not make it up" }
        next += piece.count
        guard piece.count > 0 else { continue }
        let end = piece.offset + piece.count * dtype.byteCount
        extents.append(Extent(file: piece.file, offset: piece.offset, end: end, key: entry.key))
      }
      guard next == count else { return "'\(entry.key)' lacks elements from \(next) on" }
    }
    extents.sort { ($0.file, $0.offset) < ($1.file, $1.offset) }
    for (first, second) in zip(extents, extents.dropFirst())
    where first.file == second.file && first.end > second.offset {
      return "'\(first.key)' and '\(second.key)' have the same bytes of \(files[first.file].name)"
    }
    return nil
  }

  private var faultOfNames: String? {
    var keys: Set<String> = []
    for entry in tensors {
      guard keys.insert(entry.key).inserted else { return "'\(entry.key)' stands twice in it" }
    }
    for (alias, key) in aliases {
      guard keys.contains(key) else { return "'\(alias)' stands for '\(key)', which is not in it" }
      guard !keys.contains(alias) else { return "'\(alias)' is a tensor and stands for '\(key)'" }
    }
    var places: Set<[String]> = []
    for owner in tensors.compactMap(\.owner) + values.map(\.owner) {
      let state = "the state '\(owner.state)' of '\(owner.parameter)'"
      guard owner.optimizer >= 0, owner.index >= 0 else { return "\(state) is of no optimizer" }
      guard places.insert(["\(owner.optimizer)", "\(owner.index)", owner.state]).inserted else {
        return "\(state) stands twice in it"
      }
    }
    return nil
  }

  /// Nil for sizes that no tensor has.
  private static func elementCount(_ shape: [Int]) -> Int? {
    var (count, bound) = (1, 1)
    for size in shape {
      let (product, overflow) = bound.multipliedReportingOverflow(by: max(size, 1))
      guard size >= 0, !overflow, product < Int.max / 16 else { return nil }
      (count, bound) = (count * size, product)
    }
    return shape.count <= 64 ? count : nil
  }
}
