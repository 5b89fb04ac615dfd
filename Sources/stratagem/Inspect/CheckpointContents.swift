internal import Stratagem
internal import Torch

/// A checkpoint, a file or a folder, without the numbers in its tensors.
struct CheckpointContents {
  /// A tensor and its place in the file.
  struct Entry {
    /// Keys and positions with points between them, such as `state_dict.fc1.weight`.
    let path: String
    /// On the meta device: shape and type only.
    let tensor: Tensor
  }

  let path: String
  /// A word for the format, such as `torch.save`.
  let format: String
  let byteCount: Int
  let root: ArchiveDictionary
  /// Text beside the tensors of a safetensors file.
  let metadata: [String: String]
  /// All tensors, sorted by their places.
  let entries: [Entry]
  private let archive: TorchArchive?
  /// What a folder of several files is.
  private let folder: Checkpoint?

  /// - Throws: `FileError` for a file that is missing, damaged or no such file.
  init(_ path: String) throws {
    self.path = path
    switch try CheckpointLocation.find(path) {
    case .safetensors(let path):
      byteCount = try InputFile(path).byteCount
      format = "safetensors"
      root = ArchiveDictionary(try Safetensors.shapes(of: path))
      metadata = try Safetensors.metadata(of: path)
      archive = nil
      folder = nil
    case .torchFile(let path):
      let archive = try TorchArchive(path)
      byteCount = try InputFile(path).byteCount
      format = "torch.save"
      root = archive.value.dictionaryValue ?? ["value": archive.value]
      metadata = [:]
      self.archive = archive
      folder = nil
    case .safetensorsFolder, .sharded, .distributed, .deepSpeed:
      let checkpoint = try Checkpoint.open(path)
      byteCount = checkpoint.source?.byteCount ?? 0
      format = checkpoint.source?.format ?? ""
      root = checkpoint.contents
      metadata = Dictionary(uniqueKeysWithValues: (checkpoint.source?.facts ?? []).map { ($0.name, $0.value) })
      archive = nil
      folder = checkpoint
    }
    var entries: [Entry] = []
    Self.collect(.dictionary(root), "", into: &entries)
    self.entries = entries.sorted { NaturalOrder.isLess($0.path, $1.path) }
  }

  /// The weights, under the key that leads to them.
  var weights: [Entry] {
    let prefix = "state_dict."
    let found = entries.filter { $0.path.hasPrefix(prefix) }
    return found.isEmpty
      ? entries : found.map { Entry(path: String($0.path.dropFirst(prefix.count)), tensor: $0.tensor) }
  }

  /// Whether there is a `state_dict` among other things, as in a checkpoint of Lightning.
  var isCheckpoint: Bool { root["state_dict"]?.dictionaryValue != nil }

  func verify() throws {
    try archive?.verify()
    try folder?.source?.verify()
  }

  /// Reads a tensor.
  ///
  /// - Parameter key: its place, or what follows `state_dict.`.
  /// - Throws: `ConfigurationError` with the nearest names when there is none.
  func load(_ key: String) throws -> Tensor {
    guard
      let entry = entries.first(where: { $0.path == key }) ?? entries.first(where: { $0.path == "state_dict." + key })
    else {
      let names = weights.map(\.path) + (isCheckpoint ? entries.map(\.path) : [])
      let nearest = NearestName.ranked(key, among: Set(names)).prefix(5).joined(separator: ", ")
      throw ConfigurationError(
        "tensor", "there is no tensor '\(key)' in \(path)",
        suggestion: names.isEmpty ? "there are no tensors at all" : "near it: \(nearest)")
    }
    if let archive { return try archive.load(entry.tensor) }
    if let folder { return try folder.load(entry.tensor) }
    return try Safetensors.load(entry.path, from: path) ?? entry.tensor
  }

  private static func collect(_ value: ArchiveValue, _ path: String, into entries: inout [Entry]) {
    func place(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }
    switch value {
    case .tensor(let tensor): entries.append(Entry(path: path, tensor: tensor))
    case .list(let values), .tuple(let values):
      for (position, value) in values.enumerated() { collect(value, place("\(position)"), into: &entries) }
    case .dictionary(let dictionary):
      for (key, value) in dictionary { collect(value, place(key.text), into: &entries) }
    default: break
    }
  }
}

extension ArchiveDictionary.Key {
  /// The key without quotes.
  var text: String {
    switch self {
    case .string(let text): text
    case .int(let number): "\(number)"
    }
  }
}

/// The order in which people expect names with numbers: `layer.2` before `layer.10`.
enum NaturalOrder {
  static func isLess(_ left: String, _ right: String) -> Bool {
    let (a, b) = (pieces(left), pieces(right))
    for (x, y) in zip(a, b) where x != y {
      if let first = Int(x), let second = Int(y), first != second { return first < second }
      return x < y
    }
    return a.count < b.count
  }

  /// The text cut where numbers begin and end.
  private static func pieces(_ text: String) -> [Substring] {
    var pieces: [Substring] = []
    var rest = text[...]
    while let first = rest.first {
      let isDigit = first.isASCII && first.isNumber
      let piece = rest.prefix { ($0.isASCII && $0.isNumber) == isDigit }
      pieces.append(piece)
      rest = rest[piece.endIndex...]
    }
    return pieces
  }
}
