internal import Glibc
internal import Torch

/// The folder of a sharded checkpoint.
///
/// ```
/// last.ckpt/latest                      the name of the newest complete version, such as "v2"
/// last.ckpt/v2/manifest.json            what is where
/// last.ckpt/v2/common.ckpt              everything but the tensors of module and optimizers, as torch.save writes it
/// last.ckpt/v2/rank-00000.safetensors   what rank 0 wrote
/// ```
struct ShardedFolder {
  static let pointer = "latest"
  static let commonName = "common.ckpt"

  let path: String

  init(_ path: String) {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    self.path = path
  }

  static func isFolder(_ path: String) -> Bool {
    var status = stat()
    return stat(path, &status) == 0 && status.st_mode & S_IFMT == S_IFDIR
  }

  /// The newest complete version; nil when there is none.
  var latest: String? {
    guard let file = try? InputFile("\(path)/\(Self.pointer)"), file.byteCount < 256, let bytes = try? file.readAll(),
      let text = String(validating: bytes, as: UTF8.self)
    else { return nil }
    let name = String(text.prefix { !$0.isNewline })
    return Self.isVersion(name) && Folder.exists("\(path)/\(name)/\(ShardManifest.fileName)") ? name : nil
  }

  /// Versions that are there, complete or not.
  var versions: [String] { Folder.names(in: path).filter(Self.isVersion) }

  /// Whether this is a folder that holds nothing but checkpoints of this format, complete or not.
  var isOwn: Bool {
    guard Self.isFolder(path) else { return false }
    let names = Folder.names(in: path).filter { !$0.hasSuffix(".tmp") }
    return names.allSatisfy { $0 == Self.pointer || Self.isVersion($0) } && names.contains(where: Self.isVersion)
  }

  /// A name that no version has yet.
  var nextVersion: String { "v\((versions.compactMap { Int($0.dropFirst()) }.max() ?? 0) + 1)" }

  private static func isVersion(_ name: String) -> Bool {
    name.hasPrefix("v") && name.count > 1 && Int(name.dropFirst()).map { $0 > 0 } == true
  }

  /// Makes a version the newest one, which is a single step, and removes the others. Their space is free some time later;
  /// see ``RemovedFiles``.
  func publish(_ version: String) throws {
    let file = try AtomicFile("\(path)/\(Self.pointer)")
    file.append(Array("\(version)\n".utf8))
    try file.commit()
    for other in versions where other != version { remove(other) }
  }

  /// Removes the folder, the pointer first, so that what is left at any time is no half checkpoint. Its space is free some
  /// time later; see ``RemovedFiles``.
  func remove() throws {
    unlink("\(path)/\(Self.pointer)")
    for version in versions { remove(version) }
    for name in Folder.names(in: path) where name.hasSuffix(".tmp") { unlink("\(path)/\(name)") }
    if rmdir(path) == 0 || errno == ENOENT { return }
    // Over a network, files whose space is not free yet keep their folders.
    RemovedFiles.shared.wait()
    if rmdir(path) != 0, errno != ENOENT {
      throw CheckpointError(path: path, reason: "cannot be removed: \(String(cString: strerror(errno)))")
    }
  }

  /// Removes a version, the manifest first: without it the other files are no checkpoint.
  private func remove(_ version: String) {
    RemovedFiles.shared.removeTree("\(path)/\(version)", beginningWith: ShardManifest.fileName)
  }

  /// Removes the files of a folder, and the folder; of a link to one the link alone.
  static func removeTree(_ path: String) {
    guard unlink(path) != 0 else { return }
    for name in Folder.names(in: path) { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  /// Gives the files of a version a second name in another folder, as a version of it.
  func link(_ version: String, into other: ShardedFolder) throws {
    let target = "\(other.path)/\(other.nextVersion)"
    try Folder.create(target)
    do {
      for name in Folder.names(in: "\(path)/\(version)") {
        guard Glibc.link("\(path)/\(version)/\(name)", "\(target)/\(name)") == 0 else {
          throw CheckpointError(path: target, reason: "cannot link a file: \(String(cString: strerror(errno)))")
        }
      }
      try other.publish(String(target.dropFirst(other.path.count + 1)))
    } catch {
      Self.removeTree(target)
      throw error
    }
  }
}
