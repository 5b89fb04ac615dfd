internal import Foundation
internal import Torch

/// A folder of safetensors files that together hold a model: as Hugging Face cuts large models (with an index), and as
/// `HuggingFaceStorageWriter` of PyTorch's distributed checkpoints writes it, where each rank has a part of a tensor.
final class SafetensorsFolderSource: TensorSource {
  static let indexName = "model.safetensors.index.json"
  /// The text that PyTorch puts beside the tensors: JSON that says where in the whole tensor each of them begins.
  private static let shardingKey = "DCP_SHARDING_INFO"

  let path: String
  let format = "safetensors in several files"
  private(set) var byteCount = 0
  private(set) var state = StateDictionary()
  private let tensors: AssembledTensors

  /// A tensor of a file.
  private struct Part: TensorPart {
    let file: InputFile
    let offset: Int
    let dtype: DType
    let shape: [Int]
    /// Where in the whole tensor it begins.
    let start: [Int]

    func read(_ range: Range<Int>, of name: String, _ dtype: DType, into bytes: UnsafeMutableRawBufferPointer) throws {
      try file.read(at: offset + range.lowerBound * dtype.byteCount, into: bytes)
    }
  }

  /// Whether the names in a folder are those of such files.
  static func isIn(_ names: [String]) -> Bool { names.contains(indexName) || names.contains(where: isShard) }

  /// Whether a file of this name is of one rank.
  private static func isShard(_ name: String) -> Bool { name.hasPrefix("shard-") && name.hasSuffix(".safetensors") }

  init(_ folder: String) throws {
    path = folder
    tensors = AssembledTensors(path: folder)
    let names = Folder.names(in: folder)
    let index = names.contains(Self.indexName) ? try Self.index(of: folder) : nil
    let files = index.map { Set($0.values).sorted() } ?? names.filter(Self.isShard)
    var parts: [(name: String, parts: [Part])] = []
    var numbers: [String: Int] = [:]
    for name in files {
      let file = try InputFile("\(folder)/\(name)")
      byteCount += file.byteCount
      let starts = try Self.starts(in: file.path)
      for place in try Safetensors.places(in: file.path) {
        if let index, index[place.name] != name { continue }
        let start = starts[place.name] ?? place.shape.map { _ in 0 }
        guard start.count == place.shape.count else {
          throw FileError(path: file.path, reason: "'\(place.name)' of shape \(place.shape) begins at \(start)")
        }
        let part = Part(file: file, offset: place.offset, dtype: place.dtype, shape: place.shape, start: start)
        if let number = numbers[place.name] {
          parts[number].parts.append(part)
        } else {
          numbers[place.name] = parts.count
          parts.append((place.name, [part]))
        }
      }
    }
    for name in index?.keys.sorted() ?? [] where numbers[name] == nil {
      throw CheckpointError(
        path: folder, reason: "'\(name)' is not in \(index?[name] ?? ""), where \(Self.indexName) says it is")
    }
    for (name, parts) in parts { state[name] = try add(name, parts) }
  }

  /// Puts the parts of a tensor together. Its shape is what they reach to.
  private func add(_ name: String, _ parts: [Part]) throws -> Tensor {
    let first = parts[0]
    var shape = first.shape.map { _ in 0 }
    for part in parts {
      guard part.dtype == first.dtype, part.shape.count == shape.count else {
        throw FileError(
          path: part.file.path,
          reason: "'\(name)' is \(part.dtype) of shape \(part.shape), but \(first.dtype) of shape \(first.shape) in "
            + "\(first.file.path)")
      }
      for (dim, (start, size)) in zip(part.start, part.shape).enumerated() {
        let (end, overflow) = start.addingReportingOverflow(size)
        guard start >= 0, !overflow else {
          throw FileError(path: part.file.path, reason: "'\(name)' begins at \(part.start)")
        }
        shape[dim] = max(shape[dim], end)
      }
    }
    var segments: [AssembledTensors.Segment] = []
    for part in parts {
      guard let box = TensorBox(offsets: part.start, sizes: part.shape, in: shape) else {
        throw FileError(path: part.file.path, reason: "'\(name)' would have the shape \(shape)")
      }
      segments += box.runs.map { .init(start: $0.start, count: $0.count, part: part, offset: $0.offset) }
    }
    return try tensors.add(name, shape: shape, dtype: first.dtype, segments)
  }

  /// The file of each tensor.
  private static func index(of folder: String) throws -> [String: String] {
    struct Index: Decodable {
      let files: [String: String]
      private enum CodingKeys: String, CodingKey { case files = "weight_map" }
    }
    let file = try InputFile("\(folder)/\(indexName)")
    do {
      let map = try JSONDecoder().decode(Index.self, from: Data(try file.readAll())).files
      for (name, file) in map where file.contains("/") || !file.hasSuffix(".safetensors") {
        throw CheckpointError(path: folder, reason: "'\(name)' is said to be in '\(file)', which is no file beside it")
      }
      return map
    } catch let error as DecodingError {
      throw FileError(path: file.path, reason: "is damaged: it has no 'weight_map' of names (\(error))")
    }
  }

  /// Where in the whole tensors those of a file begin; empty for whole tensors.
  private static func starts(in path: String) throws -> [String: [Int]] {
    struct Start: Decodable {
      let offsets: [Int]
      private enum CodingKeys: String, CodingKey { case offsets = "saved_offsets" }
    }
    guard let text = try Safetensors.metadata(of: path)[shardingKey] else { return [:] }
    do {
      return try JSONDecoder().decode([String: Start].self, from: Data(text.utf8)).mapValues(\.offsets)
    } catch {
      throw FileError(path: path, reason: "is damaged: its \(shardingKey) says nothing of where its tensors begin")
    }
  }

  func holds(_ placeholder: Tensor) -> Bool { tensors.holds(placeholder) }
  func read(_ requests: [TensorRequest]) throws { try tensors.read(requests) }

  /// The format has no checksums.
  func verify() throws {}
}
