/// PyTorch's files: the zip archives of `torch.save` and `torch.load(weights_only=True)`, such as Lightning's `.ckpt`.
public enum TorchFile {
  /// Writes a value to a file that Python's `torch.load` opens, with `weights_only=True` and `mmap=True` too.
  ///
  /// The file appears whole or not at all: after an error, a file that was there before is unchanged. Tensors that share
  /// memory share it in the file. They are written as CPU tensors that do not require gradients.
  ///
  /// - Throws: ``FileError`` when the folder does not exist or may not be written to, when the disk is full (with the
  ///   bytes needed), for a tensor without values (poisoned, on the meta device), and for values nested more than 200 deep.
  public static func save(_ value: ArchiveValue, to path: String) throws(FileError) {
    try save(value, to: AtomicFile(path), plan: StoragePlan(value, path: path))
  }

  /// Writes to a file that the caller opened, which a test makes fail.
  package static func save(_ value: ArchiveValue, to file: AtomicFile) throws(FileError) {
    try save(value, to: file, plan: StoragePlan(value, path: file.path))
  }

  /// Writes a value whose tensors are read while they are written, one at a time.
  ///
  /// - Parameter load: makes a tensor of the same shape and type for one on the meta device.
  package static func save(
    _ value: ArchiveValue, to file: AtomicFile, loading load: @escaping (Tensor) throws -> Tensor
  ) throws(FileError) {
    try save(value, to: file, plan: StoragePlan(value, path: file.path, load: load))
  }

  private static func save(_ value: ArchiveValue, to file: AtomicFile, plan: StoragePlan) throws(FileError) {
    let pickle = PickleWriter(value, storages: plan).bytes
    try write(pickle, plan, to: file)
    try file.commit()
  }

  private static func write(_ pickle: [UInt8], _ plan: StoragePlan, to file: AtomicFile) throws(FileError) {
    // Each record takes some 256 bytes more for its headers and alignment.
    let needed = pickle.count + plan.byteCount + 256 * (plan.storageCount + 4)
    let writer = try RecordWriter(file, needed: needed)
    try writer.add("data.pkl", pickle)
    try writer.add("byteorder", Array("little".utf8))
    for storage in 0..<plan.storageCount {
      var failure: FileError?
      try plan.withBytes(of: storage) { bytes in
        do throws(FileError) { try writer.add("data/\(storage)", bytes) } catch { failure = error }
      }
      if let failure { throw failure }
    }
    try writer.finish()
  }

  /// Reads a file of `torch.save`. Tensors arrive on the CPU; those that share a storage in the file share memory.
  ///
  /// Nothing in the file is executed. Classes that only hold values (`argparse.Namespace`, Lightning's `AttributeDict`)
  /// are read as dictionaries that name them in ``ArchiveDictionary/pythonClass``; types, devices and paths as strings.
  /// Checksums are verified.
  ///
  /// - Throws: ``FileError`` when the file is missing, truncated, damaged or not such an archive, or names a Python class
  ///   or function that is not data.
  public static func load(_ path: String) throws(FileError) -> ArchiveValue { try load(InputFile(path)) }

  /// Reads an archive that may be a part of a file.
  package static func load(_ file: InputFile) throws(FileError) -> ArchiveValue {
    let path = file.path
    let (zip, folder, bytes) = try open(file)
    let loader = StorageLoader(zip, folder: folder)
    return try PickleReader.value(of: bytes, path: path) { storage, layout throws(FileError) in
      try loader.tensor(storage, layout)
    }
  }

  /// Opens an archive, checks that it is one of `torch.save`, and reads its pickle.
  static func open(_ path: String) throws(FileError) -> (zip: ZipReader, folder: String, pickle: [UInt8]) {
    try open(InputFile(path))
  }

  static func open(_ file: InputFile) throws(FileError) -> (zip: ZipReader, folder: String, pickle: [UInt8]) {
    let path = file.path
    try checkKind(of: file)
    let zip = try ZipReader(file)
    let candidates = zip.entries.values.filter { $0.name == "data.pkl" || $0.name.hasSuffix("/data.pkl") }
    guard let pickle = candidates.min(by: { $0.name.utf8.count < $1.name.utf8.count }) else {
      throw FileError(path: path, reason: "is a zip archive but not one of torch.save: it has no record 'data.pkl'")
    }
    let folder = String(pickle.name.dropLast("data.pkl".count))
    guard zip.entries[folder + "constants.pkl"] == nil else {
      throw FileError(path: path, reason: "is a TorchScript program; save its state_dict() with torch.save instead")
    }
    if let record = zip.entries[folder + "byteorder"] {
      let order = String(decoding: try zip.bytes(of: record), as: UTF8.self)
      guard order == "little" else {
        throw FileError(path: path, reason: "was written with byte order '\(order)'; only 'little' is read")
      }
    }
    return (zip, folder, try zip.bytes(of: pickle))
  }

  /// Names what a file is that does not start as a zip archive does.
  private static func checkKind(of file: InputFile) throws(FileError) {
    let head = try file.read(at: 0, count: min(file.byteCount, 16))
    if head.starts(with: Array("PK".utf8)) { return }
    let reason =
      if head.isEmpty {
        "is empty"
      } else if head[0] == 0x80 {
        "is a plain pickle or in PyTorch's legacy format; load it in Python and save it again with torch.save (1.6 or newer)"
      } else if head.count > 8, head[8] == UInt8(ascii: "{") {
        "looks like a safetensors file; read it with Safetensors.load"
      } else {
        "is not a PyTorch file: it is no zip archive"
      }
    throw FileError(path: file.path, reason: reason)
  }
}
