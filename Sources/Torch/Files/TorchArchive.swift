/// A file of `torch.save` whose values were read and whose tensors were not: they are on the meta device, with shape and
/// type, until one of them is asked for.
package final class TorchArchive {
  /// What the file holds.
  package private(set) var value = ArchiveValue.none
  /// The bytes of all storages; tensors may share one, or use a part of it.
  package let storageByteCount: Int
  package let path: String

  private let zip: ZipReader
  private let loader: StorageLoader
  private var places: [ObjectIdentifier: (storage: PickleReader.Storage, layout: TensorLayout)] = [:]

  /// Opens a file and reads everything but the numbers in its tensors.
  ///
  /// - Throws: ``FileError`` as ``TorchFile/load(_:)``.
  package convenience init(_ path: String) throws(FileError) { try self.init(InputFile(path)) }

  /// Opens an archive, which may be a part of a file.
  ///
  /// - Parameter classes: names of Python modules whose classes are read as the dictionaries of their values, too.
  package init(_ file: InputFile, classes: [String] = []) throws(FileError) {
    let (zip, folder, pickle) = try TorchFile.open(file)
    path = file.path
    self.zip = zip
    loader = StorageLoader(zip, folder: folder)
    storageByteCount = zip.entries.values.reduce(0) {
      $1.name.hasPrefix(folder + "data/") ? $0 + $1.count : $0
    }
    value = try PickleReader.value(of: pickle, path: path, classes: classes) { storage, layout throws(FileError) in
      _ = try self.loader.entry(of: storage, for: layout)
      let tensor = Tensor.empty(layout.shape, dtype: layout.dtype, device: .meta)
      self.places[ObjectIdentifier(tensor)] = (storage, layout)
      return tensor
    }
  }

  /// Whether the numbers of a tensor are in this file.
  package func holds(_ tensor: Tensor) -> Bool { places[ObjectIdentifier(tensor)] != nil }

  /// Reads the numbers of a tensor of ``value``; the storages of others stay where they are.
  package func load(_ tensor: Tensor) throws(FileError) -> Tensor {
    guard let place = places[ObjectIdentifier(tensor)] else { return tensor }
    return try loader.tensor(place.storage, place.layout)
  }

  /// Reads some elements of a tensor of ``value``, numbered in row-major order, and nothing else where the file lets it.
  ///
  /// The checksum of a record is compared only when all of the record is read.
  ///
  /// - Parameter bytes: as many as the elements take.
  package func read(
    _ tensor: Tensor, _ range: Range<Int>, into bytes: UnsafeMutableRawBufferPointer
  ) throws(FileError) {
    guard let place = places[ObjectIdentifier(tensor)] else {
      throw FileError(path: path, reason: "does not hold a tensor of shape \(tensor.shape) that is wanted of it")
    }
    let (storage, layout) = place
    let size = layout.dtype.byteCount
    precondition(
      bytes.count == range.count * size && range.lowerBound >= 0 && range.upperBound <= layout.elementCount,
      "elements of the tensor")
    guard !range.isEmpty else { return }
    let entry = try loader.entry(of: storage, for: layout)
    if bytes.count == entry.count, layout.isContiguousFromStart {
      return try zip.read(entry, into: bytes)
    }
    if layout.isContiguous, let offset = try zip.plainOffset(of: entry) {
      return try zip.file.read(at: offset + (layout.offset + range.lowerBound) * size, into: bytes)
    }
    let whole = try StorageLoader(loader).tensor(storage, layout)
    withoutGradients { whole.contiguous() }.withUnsafeBytes { source in
      bytes.copyMemory(
        from: UnsafeRawBufferPointer(rebasing: source[range.lowerBound * size..<range.upperBound * size]))
    }
  }

  /// Reads the whole file, a piece at a time, and compares its checksums.
  package func verify() throws(FileError) { try verify(part: 0, of: 1) }

  /// Compares the checksums of every `count`-th record, from record `part` on.
  package func verify(part: Int, of count: Int) throws(FileError) {
    let entries = zip.entries.values.sorted { $0.headerOffset < $1.headerOffset }
    for number in stride(from: part, to: entries.count, by: count) { try zip.verify(entries[number]) }
  }
}
