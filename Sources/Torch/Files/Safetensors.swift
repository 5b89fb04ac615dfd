/// Files in Hugging Face's safetensors format: a JSON header followed by the bytes of the tensors.
public enum Safetensors {
  /// Largest header that is read, as in the reference implementation.
  private static let maximumHeaderCount = 100_000_000

  /// Writes tensors and text about them. The file appears whole or not at all.
  ///
  /// Wider types are written first, so that every tensor is aligned; within a type the order of `tensors` stays.
  ///
  /// - Throws: ``FileError`` as ``TorchFile/save(_:to:)``, and for a tensor named `__metadata__`.
  public static func save(
    _ tensors: StateDictionary, metadata: [String: String] = [:], to path: String
  ) throws(FileError) {
    for (name, tensor) in tensors {
      guard name != SafetensorsHeader.metadataKey else {
        throw FileError(path: path, reason: "cannot be written: no tensor can be named '\(name)'")
      }
      if let obstacle = tensor.obstacleToSaving {
        throw FileError(path: path, reason: "cannot be written: the tensor '\(name)' \(obstacle)")
      }
    }
    let writer = try SafetensorsWriter(
      AtomicFile(path), tensors.map { .init(name: $0.key, dtype: $0.value.dtype, shape: $0.value.shape) },
      metadata: metadata)
    for entry in writer.entries {
      if let tensor = tensors[entry.name] { try writer.append(tensor) }
    }
    try writer.finish()
  }

  /// Reads all tensors, in the order in which they lie in the file.
  ///
  /// - Throws: ``FileError`` when the file is missing, truncated or malformed, or holds a type that does not exist here.
  ///   The header is checked as a whole before any tensor is read: offsets must lie within the file, without gaps and
  ///   overlaps, and fit type and shape.
  public static func load(_ path: String) throws(FileError) -> StateDictionary {
    let file = try InputFile(path)
    let header = try readHeader(of: file)
    var tensors = StateDictionary(minimumCapacity: header.entries.count)
    for entry in header.entries { tensors[entry.name] = try tensor(entry, header, file) }
    return tensors
  }

  private static func tensor(
    _ entry: SafetensorsHeader.Entry, _ header: SafetensorsHeader, _ file: InputFile
  ) throws(FileError) -> Tensor {
    let tensor = Tensor.empty(entry.shape, dtype: entry.dtype)
    var failure: FileError?
    tensor.withUnsafeMutableBytes { bytes in
      do throws(FileError) {
        try file.read(at: header.dataOffset + entry.range.lowerBound, into: bytes)
      } catch { failure = error }
    }
    if let failure { throw failure }
    return tensor
  }

  /// The tensors of a file on the meta device: their shapes and types, without reading their numbers.
  package static func shapes(of path: String) throws(FileError) -> StateDictionary {
    var tensors = StateDictionary()
    for entry in try readHeader(of: InputFile(path)).entries {
      tensors[entry.name] = Tensor.empty(entry.shape, dtype: entry.dtype, device: .meta)
    }
    return tensors
  }

  /// Reads one tensor; nil when there is none of that name.
  package static func load(_ name: String, from path: String) throws(FileError) -> Tensor? {
    let file = try InputFile(path)
    let header = try readHeader(of: file)
    guard let entry = header.entries.first(where: { $0.name == name }) else { return nil }
    return try tensor(entry, header, file)
  }

  /// Where the tensors lie in a file, by name: the position of the first byte.
  package static func places(
    in path: String
  ) throws(FileError) -> [(name: String, dtype: DType, shape: [Int], offset: Int)] {
    let header = try readHeader(of: InputFile(path))
    return header.entries.map { ($0.name, $0.dtype, $0.shape, header.dataOffset + $0.range.lowerBound) }
  }

  /// The text that was saved beside the tensors; empty when there is none.
  public static func metadata(of path: String) throws(FileError) -> [String: String] {
    try readHeader(of: InputFile(path)).metadata
  }

  private static func readHeader(of file: InputFile) throws(FileError) -> SafetensorsHeader {
    guard file.byteCount >= 8 else {
      throw FileError(path: file.path, reason: "is no safetensors file: it has only \(file.byteCount) bytes")
    }
    let head = try file.read(at: 0, count: 8)
    let wanted = head.integer(UInt64.self, at: 0) ?? .max
    guard let count = Int(exactly: wanted), count <= maximumHeaderCount else {
      throw FileError(path: file.path, reason: "is no safetensors file: its header would have \(wanted) bytes")
    }
    guard count <= file.byteCount - 8 else {
      throw FileError(
        path: file.path, reason: "is truncated: its header has \(count) bytes, the file \(file.byteCount) in all")
    }
    let json = try file.read(at: 8, count: count)
    return try SafetensorsHeader(json: json, dataOffset: 8 + count, fileByteCount: file.byteCount, path: file.path)
  }
}
