internal import Torch

/// A folder of PyTorch's distributed checkpoints (`torch.distributed.checkpoint`), such as those of Lightning's FSDP and
/// ModelParallel strategies.
///
/// The file `.metadata` is a pickle that says which part of which tensor is where in the files `__{rank}_{n}.distcp`; each
/// part there is an archive of `torch.save`. Lightning keeps the rest of its checkpoint in `meta.pt`.
final class DistributedSource: TensorSource {
  let path: String
  let format = "PyTorch distributed checkpoint"
  private(set) var contents = ArchiveDictionary()
  private(set) var byteCount = 0
  private let tensors: AssembledTensors
  private let parts: [PartKey: Part]

  private struct PartKey: Hashable {
    let name: String
    /// The place of the part in the tensor; nil for an object.
    let offset: [Int]?
  }

  /// An archive within a file.
  private final class Part: ArchivedTensor {
    /// The tensor or object that it is of.
    let name: String
    let path: String
    let range: Range<Int>
    /// The shape that its tensor has to have.
    var shape: [Int]?
    private let cache: Cache

    /// The archive that was opened last: neighbouring elements are mostly in the same.
    final class Cache {
      var part: Part?
      var archive: TorchArchive?
    }

    init(_ name: String, _ path: String, _ range: Range<Int>, _ cache: Cache) {
      self.name = name
      self.path = path
      self.range = range
      self.cache = cache
    }

    func archive() throws -> TorchArchive {
      if cache.part === self, let archive = cache.archive { return archive }
      let archive = try named { try TorchArchive(InputFile(path, part: range)) }
      cache.part = self
      cache.archive = archive
      return archive
    }

    func open() throws -> (archive: TorchArchive, tensor: Tensor) {
      let archive = try archive()
      guard let tensor = archive.value.tensorValue, tensor.shape == shape ?? tensor.shape else {
        throw error("there is no tensor of shape \(shape ?? [])")
      }
      return (archive, tensor)
    }

    /// An object that is no tensor.
    func object() throws -> ArchiveValue { try named { try TorchFile.load(InputFile(path, part: range)) } }

    func verify() throws {
      let archive = try archive()
      try named { try archive.verify() }
    }

    func error(_ what: String) -> CheckpointError {
      CheckpointError(path: path, reason: "the part of '\(name)' at byte \(range.lowerBound) cannot be read: \(what)")
    }

    /// Does something whose failure says which value it is of.
    private func named<Value>(_ body: () throws -> Value) throws -> Value {
      do { return try body() } catch let failure as FileError { throw error(failure.reason) }
    }
  }

  init(_ folder: String) throws {
    path = folder
    tensors = AssembledTensors(path: folder)
    let metadataPath = "\(folder)/.metadata"
    let metadata = try PickleFile.load(
      metadataPath, classes: ["torch.distributed.checkpoint", "torch.distributed._shard", "torch.serialization"])
    func damaged(_ what: String) -> CheckpointError { CheckpointError(path: metadataPath, reason: what) }
    guard let root = metadata.dictionaryValue, let described = root["state_dict_metadata"]?.dictionaryValue,
      let stored = root["storage_data"]
    else { throw damaged("it does not describe a distributed checkpoint of PyTorch") }
    parts = try Self.parts(stored, folder)
    var tree = PathTree()
    let paths = Self.paths(root["planner_data"])
    for (key, description) in described {
      let name = key.text
      let path = paths[name] ?? [.string(name)]
      // The name of a value is made of the keys that lead to it.
      guard paths.isEmpty || paths[name]?.map(\.text).joined(separator: ".") == name else {
        throw damaged("it is damaged: the keys that lead to '\(name)' are others")
      }
      let value: ArchiveValue
      if let shape = Self.sizes(description["size"]), let chunks = description["chunks"]?.listValue {
        guard TensorBox(offsets: shape.map { _ in 0 }, sizes: shape, in: shape) != nil else {
          throw damaged("'\(name)' has no possible shape (\(shape))")
        }
        let dtype = try Self.dtype(name, description, metadataPath)
        value = .tensor(
          try tensors.add(name, shape: shape, dtype: dtype, try segments(name, shape, dtype, chunks, metadataPath)))
      } else {
        guard let part = parts[PartKey(name: name, offset: nil)] else {
          throw damaged("'\(name)' is described, but it is in no file")
        }
        value = try part.object()
      }
      tree.set(value, at: path)
    }
    var rest = ArchiveDictionary()
    if Folder.exists("\(folder)/meta.pt") {
      rest = try TorchFile.load("\(folder)/meta.pt").dictionaryValue ?? [:]
    }
    contents = NamedCheckpoint.contents(tree.value.dictionaryValue ?? [:], rest)
    let names = Set(parts.values.map(\.path))
    byteCount = try names.reduce(0) { $0 + (try InputFile($1).byteCount) }
  }

  private static func parts(_ stored: ArchiveValue, _ folder: String) throws -> [PartKey: Part] {
    let cache = Part.Cache()
    var parts: [PartKey: Part] = [:]
    for pair in stored.listValue ?? [] {
      guard let pair = pair.listValue, pair.count == 2, let name = pair[0]["fqn"]?.stringValue,
        let file = pair[1]["relative_path"]?.stringValue, !file.contains("/"),
        let offset = pair[1]["offset"]?.intValue, let length = pair[1]["length"]?.intValue, offset >= 0, length >= 0,
        offset <= Int.max - length
      else { throw CheckpointError(path: "\(folder)/.metadata", reason: "it has a place of a tensor that is none") }
      if let transforms = pair[1]["transform_descriptors"]?.listValue, !transforms.isEmpty {
        throw CheckpointError(
          path: "\(folder)/.metadata",
          reason: "'\(name)' was changed on its way to the file, which is not undone here "
            + "(\(transforms.compactMap(\.stringValue).joined(separator: ", "))); save it without extensions of the writer"
        )
      }
      parts[PartKey(name: name, offset: sizes(pair[0]["offset"]))] = Part(
        name, "\(folder)/\(file)", offset..<offset + length, cache)
    }
    return parts
  }

  /// The keys that led to each tensor in the dictionary that was saved.
  private static func paths(_ planner: ArchiveValue?) -> [String: [ArchiveDictionary.Key]] {
    var paths: [String: [ArchiveDictionary.Key]] = [:]
    for (key, value) in planner?.dictionaryValue ?? [:] {
      let path = (value.listValue ?? []).compactMap { part -> ArchiveDictionary.Key? in
        part.stringValue.map { .string($0) } ?? part.intValue.map { .int($0) }
      }
      if !path.isEmpty { paths[key.text] = path }
    }
    return paths
  }

  private static func sizes(_ value: ArchiveValue?) -> [Int]? {
    guard let list = value?.listValue else { return nil }
    let sizes = list.compactMap(\.intValue)
    return sizes.count == list.count && sizes.allSatisfy { $0 >= 0 } ? sizes : nil
  }

  private static func dtype(_ key: String, _ description: ArchiveValue, _ path: String) throws -> DType {
    let properties = description["properties"]
    let name = properties?["state"]?.listValue?.first?.stringValue ?? properties?["dtype"]?.stringValue
    guard let dtype = DType.allCases.first(where: { "torch.\($0)" == name }) else {
      throw CheckpointError(
        path: path,
        reason: "'\(key)' is a tensor of \(name ?? "no type"), which Stratagem does not have; leave it out, or convert "
          + "it in Python before it is saved")
    }
    return dtype
  }

  /// The elements of a tensor by the boxes that were saved of it.
  private func segments(
    _ name: String, _ shape: [Int], _ dtype: DType, _ chunks: [ArchiveValue], _ metadataPath: String
  ) throws -> [AssembledTensors.Segment] {
    var segments: [AssembledTensors.Segment] = []
    for chunk in chunks {
      guard let offsets = Self.sizes(chunk["offsets"]), let sizes = Self.sizes(chunk["sizes"]),
        let box = TensorBox(offsets: offsets, sizes: sizes, in: shape)
      else { throw CheckpointError(path: metadataPath, reason: "a part of '\(name)' does not lie within it") }
      guard box.count > 0 else { continue }
      guard let part = parts[PartKey(name: name, offset: offsets)] else {
        throw CheckpointError(path: metadataPath, reason: "a part of '\(name)' at \(offsets) is in no file")
      }
      guard box.count <= part.range.count / dtype.byteCount else {
        throw part.error("it has \(part.range.count) bytes, too few for \(box.count) numbers of \(dtype)")
      }
      part.shape = sizes
      for run in box.runs {
        segments.append(.init(start: run.start, count: run.count, part: part, offset: run.offset))
      }
    }
    return segments
  }

  func holds(_ placeholder: Tensor) -> Bool { tensors.holds(placeholder) }
  func read(_ requests: [TensorRequest]) throws { try tensors.read(requests) }
  func verify() throws { try verify(part: 0, of: 1) }

  func verify(part: Int, of count: Int) throws {
    let sorted = parts.values.sorted { ($0.path, $0.range.lowerBound) < ($1.path, $1.range.lowerBound) }
    for number in stride(from: part, to: sorted.count, by: count) { try sorted[number].verify() }
  }
}
