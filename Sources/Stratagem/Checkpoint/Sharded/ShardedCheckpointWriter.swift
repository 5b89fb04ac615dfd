internal import Glibc
internal import Torch

/// Writes sharded checkpoints, on all ranks together.
///
/// Every rank writes the elements that it holds into a file of its own, in a new version of the checkpoint. When all
/// files are durable, rank 0 writes the manifest, and then makes the version the newest one. Until that moment the
/// version before is the checkpoint, whatever happens to this one.
struct ShardedCheckpointWriter {
  let ranks: any RankExchange
  /// The name of the strategy, for the manifest.
  let strategy: String
  /// Makes the file of this rank; a test gives one on a full disk.
  var open: (String) throws -> AtomicFile = { try AtomicFile($0) }

  /// What the ranks say before they write.
  private struct Start: Codable {
    /// Where rank 0 says the version is.
    var place: Place?
    let offers: [ShardAssignment.Offer]
  }

  private struct Place: Codable {
    /// The folder of the checkpoint; another one than its path while a file is in the way.
    let root: String
    let version: String
    var folder: String { "\(root)/\(version)" }
  }

  /// Writes a checkpoint.
  func save(_ checkpoint: Checkpoint, to path: String) throws {
    let parts = CheckpointParts(checkpoint.contents)
    var items: [(key: TensorKey, piece: TensorPiece)] = []
    var aliases: [String: String] = [:]
    var known: [TensorIdentity: String] = [:]
    for (key, tensor) in parts.tensors {
      let identity = TensorIdentity(tensor)
      if case .module(let name) = key {
        if let first = known[identity] {
          aliases[name] = first
          continue
        }
        if tensor.count > 0 { known[identity] = name }
      }
      if let source = checkpoint.source, source.holds(tensor) {
        items.append((key, TensorPiece(tensor, in: source)))
      } else {
        // What a hook has put there may differ between the ranks: that of rank 0 counts.
        let own = TensorPiece(whole: tensor, isPrimary: ranks.rank == 0)
        items.append((key, checkpoint.pieces?[tensor] ?? own))
      }
    }
    var place: Place?
    do {
      let started = try ranks.together(path) { () -> Start in
        if ranks.rank == 0 { place = try prepare(path) }
        return Start(place: place, offers: try items.map { try offer($0.key, $0.piece, path) })
      }
      guard let agreed = started.first?.place else { return }
      place = agreed
      let assignment = try ShardAssignment(started.map(\.offers), path: path)
      let reports = try ranks.together(path) {
        if ranks.rank == 0 {
          try TorchFile.save(.dictionary(parts.common), to: "\(agreed.folder)/\(ShardedFolder.commonName)")
        } else {
          try Folder.create(agreed.folder)
        }
        return try write(items, assignment, agreed, path)
      }
      _ = try ranks.together(path) { () -> Bool in
        guard ranks.rank == 0 else { return true }
        let manifest = try manifest(assignment, reports, aliases, parts.values, agreed)
        try publish(manifest, agreed, path)
        return true
      }
    } catch {
      if ranks.rank == 0, let place { discard(place, path) }
      throw error
    }
  }

  /// Finds a place for a new version. Called on rank 0.
  private func prepare(_ path: String) throws -> Place {
    let folder = ShardedFolder(path)
    var root = folder.path
    if ShardedFolder.isFolder(root) {
      let others = Folder.names(in: root)
      if !others.isEmpty, !folder.isOwn {
        throw CheckpointError(
          path: path,
          reason: "a sharded checkpoint cannot be written there: the folder holds other files (\(others[0])"
            + "\(others.count > 1 ? ", ..." : "")); choose another path")
      }
    } else if Folder.exists(root) {
      let name = root.split(separator: "/").last.map(String.init) ?? root
      root = "\(Folder.parent(of: root))/.\(name).\(getpid()).tmp"
    }
    let place = Place(root: root, version: ShardedFolder(root).nextVersion)
    try Folder.create(place.folder)
    return place
  }

  private func offer(_ key: TensorKey, _ piece: TensorPiece, _ path: String) throws -> ShardAssignment.Offer {
    if let obstacle = piece.obstacleToSaving {
      throw CheckpointError(path: path, reason: "cannot be written: the tensor '\(key)' \(obstacle)")
    }
    return ShardAssignment.Offer(
      key: "\(key)", dtype: piece.dtype.safetensorsName ?? "", shape: piece.shape, start: piece.range.lowerBound,
      count: piece.range.count, isPrimary: piece.isPrimary, owner: key.owner)
  }

  private func write(
    _ items: [(key: TensorKey, piece: TensorPiece)], _ assignment: ShardAssignment, _ place: Place, _ path: String
  ) throws -> ShardWriter.Report {
    let own = Dictionary(uniqueKeysWithValues: items.map { ("\($0.key)", $0.piece) })
    let shares = try assignment.shares[ranks.rank].map { share -> ShardWriter.Item in
      let entry = assignment.entries[share.entry]
      guard let piece = own[entry.key], piece.range.lowerBound <= share.range.lowerBound,
        share.range.upperBound <= piece.range.upperBound
      else { throw CheckpointError(path: path, reason: "cannot be written: '\(entry.key)' is not held where it was") }
      return ShardWriter.Item(key: entry.key, shape: entry.shape, range: share.range, piece: piece)
    }
    return try ShardWriter.write(shares, rank: ranks.rank, into: place.folder, open: open)
  }

  private func manifest(
    _ assignment: ShardAssignment, _ reports: [ShardWriter.Report], _ aliases: [String: String],
    _ values: [(key: TensorKey, value: ArchiveValue)], _ place: Place
  ) throws -> ShardManifest {
    var files: [ShardManifest.File] = []
    var entries = assignment.entries
    for (rank, report) in reports.enumerated() {
      guard let file = report.file else { continue }
      guard (try? InputFile("\(place.folder)/\(file.name)"))?.byteCount == file.bytes else {
        throw CheckpointError(
          path: place.root,
          reason: "rank 0 does not see what rank \(rank) wrote; the folder must be on a file system of all ranks")
      }
      for (share, offset) in zip(assignment.shares[rank], report.offsets) {
        entries[share.entry].pieces.append(
          .init(file: files.count, offset: offset, start: share.range.lowerBound, count: share.range.count))
      }
      files.append(file)
    }
    for number in entries.indices { entries[number].pieces.sort { $0.start < $1.start } }
    let common = try InputFile("\(place.folder)/\(ShardedFolder.commonName)").readAll()
    return ShardManifest(
      strategy: strategy, worldSize: reports.count,
      common: .init(
        name: ShardedFolder.commonName, bytes: common.count,
        checksum: common.withUnsafeBytes { BlockChecksums.checksum(of: $0) }),
      files: files, tensors: entries, aliases: aliases,
      values: values.compactMap { key, value in
        key.owner.flatMap { owner in ManifestScalar(value).map { .init(owner: owner, value: $0) } }
      })
  }

  private func publish(_ manifest: ShardManifest, _ place: Place, _ path: String) throws {
    let file = try AtomicFile("\(place.folder)/\(ShardManifest.fileName)")
    file.append(try manifest.json())
    try file.commit()
    try ShardedFolder(place.root).publish(place.version)
    let target = ShardedFolder(path).path
    guard place.root != target else { return }
    // A file was in the way.
    unlink(target)
    guard rename(place.root, target) == 0 else {
      throw CheckpointError(path: path, reason: "cannot be replaced: \(String(cString: strerror(errno)))")
    }
  }

  private func discard(_ place: Place, _ path: String) {
    ShardedFolder.removeTree(place.folder)
    // What is left is empty when there was no checkpoint before.
    let root = ShardedFolder(place.root)
    if root.versions.isEmpty { rmdir(root.path) }
  }
}

/// What makes two tensors the same values in the same memory.
private struct TensorIdentity: Hashable {
  private let storage: UInt
  private let offset: Int
  private let shape: [Int]
  private let strides: [Int]
  private let dtype: DType

  init(_ tensor: Tensor) {
    let isPlaceholder = tensor.isPoisoned || tensor.device.kind == .meta
    storage =
      isPlaceholder ? UInt(bitPattern: ObjectIdentifier(tensor)) : tensor.storageIdentifier
    offset = isPlaceholder ? 0 : tensor.storageOffset
    shape = isPlaceholder ? [] : tensor.shape
    strides = isPlaceholder ? [] : tensor.strides
    dtype = tensor.dtype
  }
}

extension TensorKey {
  var owner: ShardManifest.Owner? {
    guard case .optimizer(let number, let index, let parameter, let state) = self else { return nil }
    return .init(optimizer: number, index: index, parameter: parameter, state: state)
  }
}
