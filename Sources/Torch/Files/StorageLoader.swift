/// Builds tensors from the storages of an archive. Tensors of one storage share its memory.
final class StorageLoader {
  private struct Key: Hashable {
    let name: String
    let dtype: DType
  }

  private let zip: ZipReader
  private let folder: String
  private var loaded: [Key: Tensor] = [:]

  /// - Parameter folder: the archive's top folder with its slash.
  init(_ zip: ZipReader, folder: String) {
    self.zip = zip
    self.folder = folder
  }

  /// One that shares nothing with the tensors of `other`, so that it does not keep what it loads.
  convenience init(_ other: StorageLoader) { self.init(other.zip, folder: other.folder) }

  /// The record of a storage, known to hold what a tensor needs.
  func entry(of storage: PickleReader.Storage, for layout: TensorLayout) throws(FileError) -> ZipReader.Entry {
    let name = "data/\(storage.key)"
    guard let entry = zip.entries[folder + name] else { throw damaged(name, "it is missing") }
    // The pickle counts elements; where the storage has no type, bytes.
    let size = storage.dtype?.byteCount ?? 1
    guard let byteCount = storage.elementCount.multiplied(by: size), byteCount <= entry.count else {
      throw damaged(name, "it has \(entry.count) bytes, not \(storage.elementCount) elements of \(size)")
    }
    let count = entry.count / layout.dtype.byteCount
    guard count * layout.dtype.byteCount == entry.count, layout.requiredCount <= count else {
      throw damaged(name, "a tensor needs \(layout.requiredCount) elements of it, it has \(count)")
    }
    return entry
  }

  func tensor(_ storage: PickleReader.Storage, _ layout: TensorLayout) throws(FileError) -> Tensor {
    let entry = try entry(of: storage, for: layout)
    let count = entry.count / layout.dtype.byteCount
    guard layout.elementCount > 0 else { return .empty(layout.shape, dtype: layout.dtype) }
    let key = Key(name: storage.key, dtype: layout.dtype)
    if let known = loaded[key] {
      return known.asStrided(size: layout.shape, stride: layout.strides, offset: layout.offset)
    }
    let isWhole = layout.isContiguousFromStart && layout.elementCount == count
    let tensor = Tensor.empty(isWhole ? layout.shape : [count], dtype: layout.dtype)
    try fill(tensor, from: entry)
    loaded[key] = tensor
    return isWhole ? tensor : tensor.asStrided(size: layout.shape, stride: layout.strides, offset: layout.offset)
  }

  private func fill(_ tensor: Tensor, from entry: ZipReader.Entry) throws(FileError) {
    var failure: FileError?
    tensor.withUnsafeMutableBytes { bytes in
      do throws(FileError) { try zip.read(entry, into: bytes) } catch { failure = error }
    }
    if let failure { throw failure }
  }

  private func damaged(_ name: String, _ what: String) -> FileError {
    FileError(path: zip.file.path, reason: "is damaged in record '\(name)': \(what)")
  }
}

extension Int {
  fileprivate func multiplied(by other: Int) -> Int? {
    let (product, overflow) = multipliedReportingOverflow(by: other)
    return overflow ? nil : product
  }
}
