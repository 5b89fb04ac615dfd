/// Writes a safetensors file piece by piece, so that no more than a piece has to be in memory.
package final class SafetensorsWriter {
  /// A tensor of the file.
  package struct Entry {
    package let name: String
    package let dtype: DType
    package let shape: [Int]
    package var byteCount: Int { shape.reduce(dtype.byteCount, *) }

    package init(name: String, dtype: DType, shape: [Int]) {
      self.name = name
      self.dtype = dtype
      self.shape = shape
    }
  }

  /// The tensors in the order in which their bytes are to be appended: wider types first, so that every tensor is
  /// aligned; within a type as they were given.
  package let entries: [Entry]
  /// Where the bytes of each of ``entries`` begin in the file.
  package let offsets: [Int]
  /// The size of the whole file.
  package let byteCount: Int
  /// The checksums of the blocks of the file so far.
  package var checksums: [UInt32] { blocks.values }
  package var blockByteCount: Int { blocks.blockByteCount }

  /// A file of this size and more is written past the page cache.
  private static let largeByteCount = 32 << 20

  /// Bytes that the processor's cache still has when their checksum is taken after they were copied.
  private static let pieceByteCount = 256 << 10

  private let file: AtomicFile
  private var blocks: BlockChecksums

  /// Creates the file and writes its header.
  package init(
    _ file: AtomicFile, _ entries: [Entry], metadata: [String: String] = [:]
  ) throws(FileError) {
    for entry in entries where entry.name == SafetensorsHeader.metadataKey || entry.dtype.safetensorsName == nil {
      throw FileError(
        path: file.path, reason: "cannot be written: a tensor '\(entry.name)' of type \(entry.dtype) has no place in it"
      )
    }
    self.file = file
    self.entries = Self.sorted(entries)
    let header = SafetensorsHeader.json(of: self.entries, metadata: metadata)
    var offset = 8 + header.count
    var offsets: [Int] = []
    for entry in self.entries {
      offsets.append(offset)
      offset += entry.byteCount
    }
    self.offsets = offsets
    byteCount = offset
    blocks = BlockChecksums(blockByteCount: BlockChecksums.blockByteCount(for: byteCount))
    if byteCount >= Self.largeByteCount { file.writePastCache() }
    var head: [UInt8] = []
    head.append(integer: UInt64(header.count))
    head += header
    var failure: FileError?
    head.withUnsafeBytes { bytes in
      do throws(FileError) { try append(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// The order of the bytes of some tensors in a file.
  package static func sorted(_ entries: [Entry]) -> [Entry] {
    entries.enumerated().sorted {
      (-$0.element.dtype.byteCount, $0.offset) < (-$1.element.dtype.byteCount, $1.offset)
    }.map(\.element)
  }

  /// Appends the next bytes of the tensors.
  package func append(_ bytes: UnsafeRawBufferPointer) throws(FileError) {
    var rest = bytes
    while !rest.isEmpty {
      let piece = UnsafeRawBufferPointer(rebasing: rest.prefix(Self.pieceByteCount))
      guard file.append(piece) else { break }
      blocks.update(piece)
      rest = UnsafeRawBufferPointer(rebasing: rest.dropFirst(piece.count))
    }
    try file.check(needed: byteCount)
  }

  /// Appends elements of a tensor in row-major order; those of an accelerator come to the CPU in pieces.
  package func append(_ tensor: Tensor) throws(FileError) {
    if let obstacle = tensor.obstacleToSaving {
      throw FileError(path: file.path, reason: "cannot be written: a tensor \(obstacle)")
    }
    let source = tensor.detached()
    if source.device == .cpu && source.isContiguous { return try appendBytes(of: source) }
    let flat = withoutGradients { source.flattened() }
    let pieceCount = max(1, (8 << 20) / max(1, source.dtype.byteCount))
    for start in stride(from: 0, to: flat.count, by: pieceCount) {
      let length = min(pieceCount, flat.count - start)
      try appendBytes(
        of: withoutGradients { flat.narrowed(dim: 0, start: start, length: length).to(.cpu).contiguous() })
    }
  }

  private func appendBytes(of tensor: Tensor) throws(FileError) {
    var failure: FileError?
    tensor.withUnsafeBytes { bytes in
      do throws(FileError) { try append(bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  /// Makes the file durable and gives it its name.
  package func finish() throws(FileError) {
    guard file.byteCount == byteCount else {
      throw FileError(
        path: file.path, reason: "cannot be written: \(file.byteCount) of its \(byteCount) bytes were given")
    }
    try file.commit()
  }
}
