internal import Glibc
internal import Torch

/// What a path to a checkpoint leads to.
package enum CheckpointLocation: Equatable {
  /// A file of `torch.save`.
  case torchFile(String)
  case safetensors(String)
  /// A folder of safetensors files that belong together.
  case safetensorsFolder(String)
  /// The folder of a version, and that of the checkpoint.
  case sharded(version: String, root: String)
  /// A folder of PyTorch's distributed checkpoints.
  case distributed(String)
  /// A folder of DeepSpeed with the files of all ranks.
  case deepSpeed(String)

  /// Whether it is more than one file.
  package var isFolder: Bool {
    switch self {
    case .torchFile, .safetensors: false
    case .safetensorsFolder, .sharded, .distributed, .deepSpeed: true
    }
  }

  /// Finds out what is at a path; a path into a checkpoint that is a folder leads to that checkpoint.
  ///
  /// - Throws: `FileError` when there is nothing, ``CheckpointError`` for a folder that is no checkpoint, with a hint where
  ///   one is near.
  package static func find(_ path: String) throws -> CheckpointLocation {
    var path = path
    while path.count > 1, path.hasSuffix("/") { path.removeLast() }
    if ShardedFolder.isFolder(path) {
      if let found = folder(path) { return found }
      throw CheckpointError(path: path, reason: explanation(of: path))
    }
    let parent = Folder.parent(of: path)
    let name = path.split(separator: "/").last.map(String.init) ?? path
    if Folder.exists(path), isPart(name), let found = folder(parent) { return found }
    let file: InputFile
    do { file = try InputFile(path) } catch {
      guard !Folder.exists(path), let near = folder(parent) else { throw error }
      throw CheckpointError(
        path: path, reason: "there is no such file; its parent folder is a checkpoint (\(near.word)): give \(parent)")
    }
    let head = try file.read(at: 0, count: min(9, file.byteCount))
    let isSafetensors = head.count == 9 && head[8] == UInt8(ascii: "{") && head[0] != 0x80
    return isSafetensors || path.hasSuffix(".safetensors") ? .safetensors(path) : .torchFile(path)
  }

  /// Whether a file of this name is a part of a checkpoint when its folder is one.
  private static func isPart(_ name: String) -> Bool {
    [
      ShardManifest.fileName, ShardedFolder.commonName, ShardedFolder.pointer, ".metadata", "meta.pt",
      "zero_to_fp32.py", SafetensorsFolderSource.indexName,
    ]
    .contains(name)
      || name.hasPrefix("rank-") && name.hasSuffix(".safetensors") || name.hasSuffix(".distcp")
      || name.hasSuffix("_states.pt")
  }

  /// What a folder is; nil when it is no checkpoint.
  private static func folder(_ path: String) -> CheckpointLocation? {
    if Folder.exists("\(path)/\(ShardManifest.fileName)") {
      return .sharded(version: path, root: Folder.parent(of: path))
    }
    if let version = ShardedFolder(path).latest { return .sharded(version: "\(path)/\(version)", root: path) }
    if Folder.exists("\(path)/.metadata") { return .distributed(path) }
    if hasDeepSpeedFiles(path) { return .deepSpeed(path) }
    if SafetensorsFolderSource.isIn(Folder.names(in: path)) { return .safetensorsFolder(path) }
    if let file = try? InputFile("\(path)/latest"), file.byteCount < 4096, let bytes = try? file.readAll() {
      let tag = String(decoding: bytes, as: UTF8.self).prefix { !$0.isNewline }
      if !tag.isEmpty, hasDeepSpeedFiles("\(path)/\(tag)") { return .deepSpeed("\(path)/\(tag)") }
    }
    return nil
  }

  private static func hasDeepSpeedFiles(_ path: String) -> Bool {
    Folder.names(in: path).contains { $0.hasSuffix("_model_states.pt") || $0.hasSuffix("-model_states.pt") }
  }

  /// Why a folder is no checkpoint.
  private static func explanation(of path: String) -> String {
    if ShardedFolder(path).isOwn {
      return "it holds no complete checkpoint: the save was interrupted before all ranks had written their files; load "
        + "another one"
    }
    let parent = Folder.parent(of: path)
    if let near = folder(parent) {
      return "the folder is no checkpoint; its parent is one (\(near.word)): give \(parent)"
    }
    let names = Folder.names(in: path)
    let inside = names.filter {
      $0.hasSuffix(".ckpt") || $0.hasSuffix(".safetensors") || folder("\(path)/\($0)") != nil
    }
    if let first = inside.first {
      return "the folder is no checkpoint; it holds \(inside.prefix(5).joined(separator: ", ")): give \(path)/\(first)"
    }
    return
      "the folder is no checkpoint: it has neither '\(ShardedFolder.pointer)' with a version of a sharded checkpoint, "
      + "nor '.metadata' (PyTorch), nor '*_model_states.pt' (DeepSpeed), nor "
      + "'\(SafetensorsFolderSource.indexName)' (Hugging Face)"
  }

  private var word: String {
    switch self {
    case .torchFile, .safetensors: "a file"
    case .safetensorsFolder: "safetensors in several files"
    case .sharded: "sharded"
    case .distributed: "distributed checkpoint of PyTorch"
    case .deepSpeed: "DeepSpeed"
    }
  }
}
