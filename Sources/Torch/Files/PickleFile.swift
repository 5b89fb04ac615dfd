/// Files that are a pickle without tensors, as PyTorch's distributed checkpoints have for what is where.
package enum PickleFile {
  /// Reads a file without executing anything.
  ///
  /// - Parameter classes: Python modules whose classes are read, too: an instance as the dictionary of its attributes, and a
  ///   dictionary whose keys are neither text nor integers as a list of pairs.
  package static func load(_ path: String, classes: [String]) throws(FileError) -> ArchiveValue {
    let bytes = try InputFile(path).readAll()
    return try PickleReader.value(of: bytes, path: path, record: "pickle", classes: classes) {
      _, _ throws(FileError) in
      throw FileError(path: path, reason: "holds a tensor where none is expected")
    }
  }
}
