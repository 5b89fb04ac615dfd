internal import Foundation
internal import Torch

/// What is where in a sharded checkpoint: the file `manifest.json`.
struct ShardManifest: Codable {
  static let fileName = "manifest.json"
  static let currentFormat = "stratagem-sharded-checkpoint"
  static let currentVersion = 2
  /// The version before manifests began with a checksum of themselves.
  private static let lastVersionWithoutSeal = 1

  /// A file of tensors in safetensors format, written by one rank.
  struct File: Codable {
    let name: String
    let bytes: Int
    /// Bytes of a block; the last one may have fewer.
    let blockBytes: Int
    /// CRC-32C of each block of the file.
    let checksums: [UInt32]
  }

  /// Elements of a tensor that lie together in a file.
  struct Piece: Codable {
    /// Place in ``ShardManifest/files``.
    let file: Int
    /// Position in the file of the first byte.
    let offset: Int
    /// The first element, numbered in row-major order of the whole tensor, and how many there are.
    let start: Int
    let count: Int
  }

  struct Entry: Codable {
    let key: String
    /// The type in safetensors' words, such as `F32`.
    let dtype: String
    /// The shape of the whole tensor.
    let shape: [Int]
    var pieces: [Piece] = []
    /// What state of an optimizer it is; nil for a tensor of the module.
    var owner: Owner?
  }

  /// The place of a state in `optimizer_states`.
  struct Owner: Codable, Hashable {
    let optimizer: Int
    let index: Int
    let parameter: String
    let state: String
  }

  /// State of an optimizer that is no tensor.
  struct Value: Codable {
    let owner: Owner
    let value: ManifestScalar
  }

  /// The dictionary of the checkpoint without these tensors, as `torch.save` writes it.
  struct Common: Codable {
    let name: String
    let bytes: Int
    /// CRC-32C of the file.
    let checksum: UInt32
  }

  var format = currentFormat
  var version = currentVersion
  /// The strategy that wrote it.
  let strategy: String
  let worldSize: Int
  /// How the checksums are computed.
  var checksum = "crc32c"
  let common: Common
  let files: [File]
  /// In the order of the state dictionary.
  let tensors: [Entry]
  /// Keys that stand for the tensor of another key, as tied weights do.
  let aliases: [String: String]
  let values: [Value]

  /// The bytes of the file, which begin with a checksum of what follows it.
  func json() throws -> [UInt8] {
    let encoder = JSONEncoder()
    encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
    return Self.sealed([UInt8](try encoder.encode(self)))
  }

  /// Reads a manifest and checks that it can be true.
  ///
  /// - Throws: ``CheckpointError`` that says what is wrong in it.
  init(json: [UInt8], path: String) throws {
    func damaged(_ what: String) -> CheckpointError {
      CheckpointError(path: path, reason: "the manifest is damaged: \(what); load another checkpoint")
    }
    let faultOfSeal = Self.faultOfSeal(json)
    do {
      self = try JSONDecoder().decode(ShardManifest.self, from: Data(json))
    } catch { throw damaged(faultOfSeal ?? "\(error)") }
    if let faultOfSeal, version > Self.lastVersionWithoutSeal || Self.isSealed(json) { throw damaged(faultOfSeal) }
    guard format == Self.currentFormat else { throw damaged("its format is '\(format)'") }
    guard (1...Self.currentVersion).contains(version), checksum == "crc32c" else {
      throw CheckpointError(
        path: path,
        reason: "it has version \(version) of the format with checksums '\(checksum)', this program reads versions 1 "
          + "to \(Self.currentVersion) with crc32c; use a newer one")
    }
    if let fault { throw damaged(fault) }
  }

  init(
    strategy: String, worldSize: Int, common: Common, files: [File], tensors: [Entry], aliases: [String: String],
    values: [Value]
  ) {
    self.strategy = strategy
    self.worldSize = worldSize
    self.common = common
    self.files = files
    self.tensors = tensors
    self.aliases = aliases
    self.values = values
  }
}

/// A number or text of a manifest.
enum ManifestScalar: Codable, Hashable {
  case none
  case bool(Bool)
  case int(Int)
  case double(Double)
  case string(String)

  /// Nil for a value that is no scalar.
  init?(_ value: ArchiveValue) {
    switch value {
    case .none: self = .none
    case .bool(let value): self = .bool(value)
    case .int(let value): self = .int(value)
    case .double(let value): self = .double(value)
    case .string(let value): self = .string(value)
    case .tensor, .list, .tuple, .dictionary: return nil
    }
  }

  var archive: ArchiveValue {
    switch self {
    case .none: ArchiveValue.none
    case .bool(let value): .bool(value)
    case .int(let value): .int(value)
    case .double(let value): .double(value)
    case .string(let value): .string(value)
    }
  }
}
