internal import Torch

/// A sharded checkpoint, of which only the bytes that are needed are read, and verified.
final class ShardedSource: TensorSource {
  let path: String
  let format = "sharded"
  /// Each block that a part of a tensor lies in.
  let comparesWhatIsRead = true
  let manifest: ShardManifest
  /// The dictionary of the checkpoint, with placeholders.
  let contents: ArchiveDictionary
  private let folder: String
  private var entries: [ObjectIdentifier: ShardManifest.Entry] = [:]

  /// Bytes that go to one place.
  private struct Run {
    let file: Int
    /// Position in the file.
    let offset: Int
    let count: Int
    let target: Tensor
    let targetOffset: Int
  }

  /// - Parameters:
  ///   - folder: that of a version.
  ///   - path: the checkpoint, for errors.
  init(version folder: String, path: String) throws {
    self.folder = folder
    self.path = path
    let manifestPath = "\(folder)/\(ShardManifest.fileName)"
    manifest = try ShardManifest(json: InputFile(manifestPath).readAll(), path: manifestPath)
    for file in manifest.files { try Self.check(folder, file.name, file.bytes) }
    try Self.check(folder, manifest.common.name, manifest.common.bytes)
    let bytes = try InputFile("\(folder)/\(manifest.common.name)").readAll()
    guard bytes.withUnsafeBytes({ BlockChecksums.checksum(of: $0) }) == manifest.common.checksum else {
      throw FileError(
        path: "\(folder)/\(manifest.common.name)",
        reason: "is damaged: its checksum does not match; load another checkpoint")
    }
    guard case .dictionary(let common) = try TorchFile.load("\(folder)/\(manifest.common.name)") else {
      throw CheckpointError(path: path, reason: "\(manifest.common.name) holds no dictionary")
    }
    let optimizers = common["optimizer_states"]?.listValue?.count ?? 0
    for owner in manifest.tensors.compactMap(\.owner) + manifest.values.map(\.owner)
    where owner.optimizer >= optimizers {
      throw CheckpointError(
        path: manifestPath,
        reason: "it has the state '\(owner.state)' of '\(owner.parameter)' of optimizer \(owner.optimizer), but there "
          + "are \(optimizers) optimizers in \(manifest.common.name)")
    }
    var placeholders: [(ShardManifest.Entry, Tensor)] = []
    for entry in manifest.tensors {
      let placeholder = Tensor.empty(
        entry.shape, dtype: DType(safetensors: entry.dtype) ?? .float32, device: .meta)
      entries[ObjectIdentifier(placeholder)] = entry
      placeholders.append((entry, placeholder))
    }
    contents = Self.assemble(common, placeholders, manifest)
  }

  /// Finds out early that a file is missing or has lost its end.
  private static func check(_ folder: String, _ name: String, _ bytes: Int) throws {
    let path = "\(folder)/\(name)"
    let file = try open(folder, name)
    guard file.byteCount == bytes else {
      throw FileError(
        path: path,
        reason: file.byteCount < bytes
          ? "is truncated: it has \(file.byteCount) bytes, the manifest says \(bytes)"
          : "is damaged: it has \(file.byteCount) bytes, the manifest says \(bytes)")
    }
  }

  /// Opens a file of a version; the error says so when another version has taken its place.
  private static func open(_ folder: String, _ name: String) throws -> InputFile {
    do { return try InputFile("\(folder)/\(name)") } catch {
      let root = ShardedFolder(Folder.parent(of: folder))
      guard let latest = root.latest, "\(root.path)/\(latest)" != folder else { throw error }
      throw FileError(
        path: error.path,
        reason: "\(error.reason); a save has put version \(latest) in its place meanwhile: load the checkpoint again")
    }
  }

  /// Puts the placeholders where the tensors belong.
  private static func assemble(
    _ common: ArchiveDictionary, _ placeholders: [(ShardManifest.Entry, Tensor)], _ manifest: ShardManifest
  ) -> ArchiveDictionary {
    var contents = common
    var weights = common["state_dict"]?.dictionaryValue ?? [:]
    var states: [Int: [Int: ArchiveDictionary]] = [:]
    weights.isOrderedDict = true
    for (entry, placeholder) in placeholders {
      if let owner = entry.owner {
        states[owner.optimizer, default: [:]][owner.index, default: [:]][owner.state] = .tensor(placeholder)
      } else {
        weights[entry.key] = .tensor(placeholder)
      }
    }
    for (alias, key) in manifest.aliases.sorted(by: { $0.key < $1.key }) { weights[alias] = weights[key] }
    for value in manifest.values {
      states[value.owner.optimizer, default: [:]][value.owner.index, default: [:]][value.owner.state] =
        value.value.archive
    }
    contents["state_dict"] = .dictionary(weights)
    guard let optimizers = common["optimizer_states"]?.listValue else { return contents }
    contents["optimizer_states"] = .list(
      optimizers.enumerated().map { number, optimizer in
        guard var own = optimizer.dictionaryValue else { return optimizer }
        var state = ArchiveDictionary()
        let rest = own["state"]?.dictionaryValue ?? [:]
        for index in (states[number] ?? [:]).keys.sorted() { state[index] = .dictionary(states[number]![index]!) }
        for (key, value) in rest {
          var merged = state[key]?.dictionaryValue ?? [:]
          for (name, value) in value.dictionaryValue ?? [:] { merged[name] = value }
          state[key] = .dictionary(merged)
        }
        own["state"] = .dictionary(state)
        return .dictionary(own)
      })
    return contents
  }

  var facts: [(name: String, value: String)] {
    [("strategy", manifest.strategy), ("ranks", "\(manifest.worldSize)"), ("shard_files", "\(manifest.files.count)")]
  }

  var byteCount: Int { manifest.files.reduce(manifest.common.bytes) { $0 + $1.bytes } }

  func holds(_ placeholder: Tensor) -> Bool { entries[ObjectIdentifier(placeholder)] != nil }

  func read(_ requests: [TensorRequest]) throws {
    var runs: [Run] = []
    for request in requests {
      guard let entry = entries[ObjectIdentifier(request.placeholder)] else {
        throw CheckpointError(path: path, reason: "a tensor is wanted that is not in it")
      }
      let size = request.placeholder.dtype.byteCount
      for piece in entry.pieces {
        let wanted = request.range.clamped(to: piece.start..<piece.start + piece.count)
        guard !wanted.isEmpty else { continue }
        runs.append(
          Run(
            file: piece.file, offset: piece.offset + (wanted.lowerBound - piece.start) * size,
            count: wanted.count * size, target: request.target,
            targetOffset: (wanted.lowerBound - request.range.lowerBound) * size))
      }
    }
    runs.sort { ($0.file, $0.offset) < ($1.file, $1.offset) }
    var start = 0
    while start < runs.count {
      let end = runs[start...].firstIndex { $0.file != runs[start].file } ?? runs.count
      try read(runs[start..<end], from: manifest.files[runs[start].file])
      start = end
    }
  }

  /// Reads runs in ascending order, block by block; every block is compared with its checksum.
  private func read(_ runs: ArraySlice<Run>, from entry: ShardManifest.File) throws {
    let file = try Self.open(folder, entry.name)
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: min(entry.blockBytes, max(entry.bytes, 1)), alignment: 64)
    defer { buffer.deallocate() }
    var buffered = -1
    for run in runs {
      try run.target.withUnsafeMutableBytes { target in
        var position = run.offset
        let end = run.offset + run.count
        while position < end {
          let block = position / entry.blockBytes
          let (first, last) = (block * entry.blockBytes, min((block + 1) * entry.blockBytes, entry.bytes))
          let place = run.targetOffset + position - run.offset
          let count = min(end, last) - position
          let part = UnsafeMutableRawBufferPointer(rebasing: target[place..<place + count])
          if position == first && end >= last {
            try read(block, at: first, of: file, entry, into: part)
          } else {
            let whole = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(last - first)])
            if buffered != block { try read(block, at: first, of: file, entry, into: whole) }
            buffered = block
            part.copyMemory(from: UnsafeRawBufferPointer(rebasing: whole[position - first..<position - first + count]))
          }
          position += count
        }
      }
    }
  }

  private func read(
    _ block: Int, at offset: Int, of file: InputFile, _ entry: ShardManifest.File,
    into bytes: UnsafeMutableRawBufferPointer
  ) throws {
    try file.read(at: offset, into: bytes)
    guard BlockChecksums.checksum(of: UnsafeRawBufferPointer(bytes)) == entry.checksums[block] else {
      let range = offset..<offset + bytes.count
      throw FileError(
        path: file.path,
        reason: "is damaged: the checksum of bytes \(range) does not match (\(tensors(in: range, of: entry.name))); "
          + "load another checkpoint, or get this file again")
    }
  }

  /// The tensors that lie in some bytes of a file, for errors.
  private func tensors(in range: Range<Int>, of file: String) -> String {
    let keys = manifest.tensors.filter { entry in
      let size = DType(safetensors: entry.dtype)?.byteCount ?? 1
      return entry.pieces.contains {
        manifest.files[$0.file].name == file && range.overlaps($0.offset..<$0.offset + $0.count * size)
      }
    }.map { "'\($0.key)'" }
    let shown = keys.prefix(3).joined(separator: ", ")
    return keys.isEmpty ? "no tensor" : keys.count > 3 ? "\(shown) and \(keys.count - 3) more" : shown
  }

  func verify() throws {
    let buffer = UnsafeMutableRawBufferPointer.allocate(
      byteCount: manifest.files.map { min($0.blockBytes, $0.bytes) }.max() ?? 1, alignment: 64)
    defer { buffer.deallocate() }
    for entry in manifest.files {
      let file = try InputFile("\(folder)/\(entry.name)")
      for block in entry.checksums.indices {
        let first = block * entry.blockBytes
        let count = min(entry.blockBytes, entry.bytes - first)
        try read(
          block, at: first, of: file, entry, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<count]))
      }
    }
  }
}
