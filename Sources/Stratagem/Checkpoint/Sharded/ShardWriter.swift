internal import Torch

/// Writes the file of one rank of a sharded checkpoint: a safetensors file with the elements that the rank writes.
struct ShardWriter {
  /// What a rank tells the others of its part.
  struct Report: Codable {
    var file: ShardManifest.File?
    /// Position in the file of each share, in the order of the rank's shares.
    var offsets: [Int] = []
    var failure: String?
  }

  /// Elements to write.
  struct Item {
    let key: String
    let shape: [Int]
    let range: Range<Int>
    /// What holds these elements.
    let piece: TensorPiece

    /// The name in the file: the key of a whole tensor, else with the elements behind it.
    var entry: SafetensorsWriter.Entry {
      let isWhole = range.count == shape.reduce(1, *)
      return .init(
        name: isWhole ? key : "\(key)[\(range.lowerBound):\(range.upperBound)]", dtype: piece.dtype,
        shape: isWhole ? shape : [range.count])
    }
  }

  static func fileName(rank: Int) -> String {
    let digits = String(rank)
    return "rank-" + String(repeating: "0", count: max(0, 5 - digits.count)) + digits + ".safetensors"
  }

  /// Writes the items and makes them durable.
  ///
  /// - Parameter open: makes the file; a test gives one on a full disk.
  static func write(
    _ items: [Item], rank: Int, into folder: String, open: (String) throws -> AtomicFile = { try AtomicFile($0) }
  ) throws -> Report {
    guard !items.isEmpty else { return Report() }
    let name = fileName(rank: rank)
    let entries = items.map(\.entry)
    let writer = try SafetensorsWriter(open("\(folder)/\(name)"), entries, metadata: ["format": "pt"])
    let numbers = Dictionary(uniqueKeysWithValues: entries.enumerated().map { ($0.element.name, $0.offset) })
    var offsets = [Int](repeating: 0, count: items.count)
    for (entry, offset) in zip(writer.entries, writer.offsets) {
      guard let number = numbers[entry.name] else { continue }
      offsets[number] = offset
      try items[number].piece.forEachPart(of: items[number].range) { try writer.append($0) }
    }
    try writer.finish()
    let file = ShardManifest.File(
      name: name, bytes: writer.byteCount, blockBytes: writer.blockByteCount, checksums: writer.checksums)
    return Report(file: file, offsets: offsets)
  }
}
