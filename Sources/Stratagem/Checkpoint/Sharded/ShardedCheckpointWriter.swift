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
    var place: ShardedCheckpointPlan.Place?
    let offers: [ShardAssignment.Offer]
    let values: [ShardManifest.Value]
  }

  /// Writes a checkpoint.
  func save(_ checkpoint: Checkpoint, to path: String) throws {
    if let plan = try plan(checkpoint, for: path) { try write(plan) }
  }

  /// Agrees with the other ranks on who writes what, and finds a place for it.
  ///
  /// - Returns: nil for a process that has no part in it.
  func plan(_ checkpoint: Checkpoint, for path: String) throws -> ShardedCheckpointPlan? {
    let parts = CheckpointParts(checkpoint.contents)
    let (items, aliases) = items(of: parts, checkpoint)
    if let (key, _) = Dictionary(grouping: items, by: { "\($0.key)" }).first(where: { $0.value.count > 1 }) {
      throw CheckpointError(path: path, reason: "cannot be written: two of its tensors are named '\(key)'; rename one")
    }
    var place: ShardedCheckpointPlan.Place?
    do {
      let started = try ranks.together(path) { () -> Start in
        if ranks.rank == 0 { place = try prepare(path) }
        return Start(
          place: place, offers: try items.map { try offer($0.key, $0.piece, path) }, values: Self.values(parts.values))
      }
      guard let agreed = started.first?.place else { return nil }
      place = agreed
      let assignment = try ShardAssignment(started.map(\.offers), path: path)
      return ShardedCheckpointPlan(
        path: path, place: agreed, assignment: assignment,
        items: Result { try assigned(items, assignment, path) },
        common: ranks.rank == 0 ? parts.common : [:], aliases: aliases, values: Self.merged(started.map(\.values)))
    } catch {
      if ranks.rank == 0, let place { discard(place) }
      throw error
    }
  }

  private static func values(_ values: [(key: TensorKey, value: ArchiveValue)]) -> [ShardManifest.Value] {
    values.compactMap { key, value in
      key.owner.flatMap { owner in ManifestScalar(value).map { .init(owner: owner, value: $0) } }
    }
  }

  /// A rank without elements of a parameter has no state of it: others may.
  private static func merged(_ values: [[ShardManifest.Value]]) -> [ShardManifest.Value] {
    var known: Set<ShardManifest.Owner> = []
    return values.joined().filter { known.insert($0.owner).inserted }
  }

  /// Writes what was agreed on, and gives it further places. `ranks` may be others than those that agreed, in the same order.
  func write(_ plan: ShardedCheckpointPlan, to paths: [String]) throws {
    try write(plan)
    for path in paths.dropFirst() {
      let places = try ranks.together(path) { () -> ShardedCheckpointPlan.Place? in
        guard ranks.rank == 0, !link(plan.path, to: path) else { return nil }
        return try prepare(path)
      }
      if let place = places.first ?? nil { try write(plan.moved(to: place, path)) }
    }
  }

  /// Gives a checkpoint a second place without writing it again; false where that cannot be done.
  private func link(_ path: String, to other: String) -> Bool {
    let (source, target) = (ShardedFolder(path), ShardedFolder(other))
    guard let version = source.latest, source.path != target.path, !Folder.exists(target.path) || target.isOwn else {
      return false
    }
    return (try? source.link(version, into: target)) != nil
  }

  /// Writes what was agreed on.
  func write(_ plan: ShardedCheckpointPlan) throws {
    let (path, place) = (plan.path, plan.place)
    do {
      let reports = try ranks.together(path) {
        if ranks.rank == 0 {
          try TorchFile.save(.dictionary(plan.common), to: "\(place.folder)/\(ShardedFolder.commonName)")
        } else {
          try Folder.create(place.folder)
        }
        return try ShardWriter.write(plan.items.get(), rank: ranks.rank, into: place.folder, open: open)
      }
      _ = try ranks.together(path) { () -> Bool in
        if ranks.rank == 0 { try publish(manifest(plan, reports), place, path) }
        return true
      }
    } catch {
      if ranks.rank == 0 { discard(place) }
      throw error
    }
  }

  /// The tensors with what this rank holds of them, each once, and other keys for the same tensors.
  private func items(
    of parts: CheckpointParts, _ checkpoint: Checkpoint
  ) -> (items: [(key: TensorKey, piece: TensorPiece)], aliases: [String: String]) {
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
    return (items, aliases)
  }

  /// Finds a place for a new version. Called on rank 0.
  private func prepare(_ path: String) throws -> ShardedCheckpointPlan.Place {
    // The new version may need what the one before the last took.
    RemovedFiles.shared.wait()
    let folder = ShardedFolder(path)
    CheckpointLeftovers.remove(beside: folder.path)
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
      root = CheckpointLeftovers.path(beside: root)
    }
    let place = ShardedCheckpointPlan.Place(root: root, version: ShardedFolder(root).nextVersion)
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

  /// What this rank writes.
  private func assigned(
    _ items: [(key: TensorKey, piece: TensorPiece)], _ assignment: ShardAssignment, _ path: String
  ) throws -> [ShardWriter.Item] {
    let own = Dictionary(uniqueKeysWithValues: items.map { ("\($0.key)", $0.piece) })
    return try assignment.shares[ranks.rank].map { share in
      let entry = assignment.entries[share.entry]
      guard let piece = own[entry.key], piece.range.lowerBound <= share.range.lowerBound,
        share.range.upperBound <= piece.range.upperBound
      else { throw CheckpointError(path: path, reason: "cannot be written: '\(entry.key)' is not held where it was") }
      return ShardWriter.Item(key: entry.key, shape: entry.shape, range: share.range, piece: piece)
    }
  }

  private func manifest(_ plan: ShardedCheckpointPlan, _ reports: [ShardWriter.Report]) throws -> ShardManifest {
    let (place, assignment) = (plan.place, plan.assignment)
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
      files: files, tensors: entries, aliases: plan.aliases,
      values: plan.values)
  }

  private func publish(_ manifest: ShardManifest, _ place: ShardedCheckpointPlan.Place, _ path: String) throws {
    let file = try AtomicFile("\(place.folder)/\(ShardManifest.fileName)")
    file.append(try manifest.json())
    try file.commit()
    try ShardedFolder(place.root).publish(place.version)
    let target = ShardedFolder(path).path
    guard place.root != target else { return }
    // A file was in the way. It is the checkpoint until this one is.
    if AtomicFile.exchange(place.root, target) {
      unlink(place.root)
      return
    }
    unlink(target)
    guard rename(place.root, target) == 0 else {
      throw CheckpointError(path: path, reason: "cannot be replaced: \(String(cString: strerror(errno)))")
    }
  }

  private func discard(_ place: ShardedCheckpointPlan.Place) {
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
