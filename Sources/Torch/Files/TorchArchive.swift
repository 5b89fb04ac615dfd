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
  package init(_ path: String) throws(FileError) {
    let (zip, folder, pickle) = try TorchFile.open(path)
    self.path = path
    self.zip = zip
    loader = StorageLoader(zip, folder: folder)
    storageByteCount = zip.entries.values.reduce(0) {
      $1.name.hasPrefix(folder + "data/") ? $0 + $1.count : $0
    }
    value = try PickleReader.value(of: pickle, path: path) { storage, layout throws(FileError) in
      _ = try self.loader.entry(of: storage, for: layout)
      let tensor = Tensor.empty(layout.shape, dtype: layout.dtype, device: .meta)
      self.places[ObjectIdentifier(tensor)] = (storage, layout)
      return tensor
    }
  }

  /// Reads the numbers of a tensor of ``value``; the storages of others stay where they are.
  package func load(_ tensor: Tensor) throws(FileError) -> Tensor {
    guard let place = places[ObjectIdentifier(tensor)] else { return tensor }
    return try loader.tensor(place.storage, place.layout)
  }

  /// Reads the whole file, a piece at a time, and compares its checksums.
  package func verify() throws(FileError) {
    for entry in zip.entries.values.sorted(by: { $0.headerOffset < $1.headerOffset }) { try zip.verify(entry) }
  }
}
