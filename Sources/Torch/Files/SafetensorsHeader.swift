import FoundationEssentials

/// The checked header of a safetensors file.
struct SafetensorsHeader {
  struct Entry {
    let name: String
    let dtype: DType
    let shape: [Int]
    /// Bytes, counted from the end of the header.
    let range: Range<Int>
  }

  static let metadataKey = "__metadata__"

  /// In the order of their bytes.
  let entries: [Entry]
  let metadata: [String: String]
  /// Position in the file of the first tensor's first byte.
  let dataOffset: Int

  init(json: [UInt8], dataOffset: Int, fileByteCount: Int, path: String) throws(FileError) {
    func malformed(_ what: String) -> FileError {
      FileError(path: path, reason: "has a malformed safetensors header: \(what)")
    }
    let items: [String: Item]
    do {
      items = try JSONDecoder().decode([String: Item].self, from: Data(json))
    } catch {
      throw malformed(Self.explanation(of: error))
    }
    var entries: [Entry] = []
    var metadata: [String: String] = [:]
    for (name, item) in items.sorted(by: { $0.key < $1.key }) {
      switch item {
      case .metadata(let text): metadata = text
      case .tensor(let type, let shape, let offsets):
        guard let dtype = DType.allCases.first(where: { $0.safetensorsName == type }) else {
          throw FileError(
            path: path, reason: "holds the tensor '\(name)' of type \(type), which Stratagem does not have")
        }
        guard offsets.count == 2, 0 <= offsets[0], offsets[0] <= offsets[1] else {
          throw malformed("tensor '\(name)' has data_offsets \(offsets)")
        }
        let layout = TensorLayout(
          dtype: dtype, offset: 0, shape: shape, strides: [Int](repeating: 0, count: shape.count))
        guard let layout, layout.elementCount * dtype.byteCount == offsets[1] - offsets[0] else {
          throw malformed("tensor '\(name)' of shape \(shape) and type \(type) has data_offsets \(offsets)")
        }
        entries.append(Entry(name: name, dtype: dtype, shape: shape, range: offsets[0]..<offsets[1]))
      }
    }
    entries.sort {
      ($0.range.lowerBound, $0.range.upperBound, $0.name) < ($1.range.lowerBound, $1.range.upperBound, $1.name)
    }
    var end = 0
    for entry in entries {
      guard entry.range.lowerBound == end else {
        throw malformed(
          "tensor '\(entry.name)' starts at byte \(entry.range.lowerBound), the one before ends at \(end)")
      }
      end = entry.range.upperBound
    }
    guard end == fileByteCount - dataOffset else {
      let found = fileByteCount - dataOffset
      throw FileError(
        path: path,
        reason: end > found
          ? "is truncated: its tensors take \(end) bytes, \(found) are there"
          : "has \(found - end) bytes behind its last tensor; it is damaged")
    }
    self.entries = entries
    self.metadata = metadata
    self.dataOffset = dataOffset
  }

  /// The header of tensors that follow each other in this order, padded with spaces to a multiple of eight bytes.
  static func json(of entries: [SafetensorsWriter.Entry], metadata: [String: String]) -> [UInt8] {
    var parts: [String] = []
    if !metadata.isEmpty {
      let texts = metadata.sorted { $0.key < $1.key }.map { "\(quoted($0.key)):\(quoted($0.value))" }
      parts.append("\(quoted(metadataKey)):{\(texts.joined(separator: ","))}")
    }
    var offset = 0
    for entry in entries {
      let shape = entry.shape.map(String.init).joined(separator: ",")
      let end = offset + entry.byteCount
      let type = entry.dtype.safetensorsName ?? ""
      parts.append(
        "\(quoted(entry.name)):{\"dtype\":\"\(type)\",\"shape\":[\(shape)],\"data_offsets\":[\(offset),\(end)]}")
      offset = end
    }
    var bytes = Array("{\(parts.joined(separator: ","))}".utf8)
    while !bytes.count.isMultiple(of: 8) { bytes.append(UInt8(ascii: " ")) }
    return bytes
  }

  private static func quoted(_ text: String) -> String {
    var result = "\""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "\"": result += "\\\""
      case "\\": result += "\\\\"
      case _ where scalar.value < 0x20:
        let digits = String(scalar.value, radix: 16)
        result += "\\u" + String(repeating: "0", count: 4 - digits.count) + digits
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result + "\""
  }

  private static func explanation(of error: any Error) -> String {
    guard let error = error as? DecodingError else { return "\(error)" }
    if case .keyNotFound(let key, let context) = error {
      return "tensor '\(context.codingPath.first?.stringValue ?? "")' has no \(key.stringValue)"
    }
    let context =
      switch error {
      case .typeMismatch(_, let context), .valueNotFound(_, let context), .keyNotFound(_, let context),
        .dataCorrupted(let context):
        context
      @unknown default: DecodingError.Context(codingPath: [], debugDescription: "\(error)")
      }
    let place = context.codingPath.map(\.stringValue).joined(separator: ".")
    return place.isEmpty ? context.debugDescription : "\(context.debugDescription) (at \(place))"
  }

  /// What stands under a name: a tensor, or text under `__metadata__`.
  private enum Item: Decodable {
    case tensor(dtype: String, shape: [Int], offsets: [Int])
    case metadata([String: String])

    private enum Key: String, CodingKey {
      case dtype, shape
      case offsets = "data_offsets"
    }

    init(from decoder: any Decoder) throws {
      if decoder.codingPath.last?.stringValue == SafetensorsHeader.metadataKey {
        self = .metadata(try [String: String](from: decoder))
        return
      }
      let container = try decoder.container(keyedBy: Key.self)
      self = .tensor(
        dtype: try container.decode(String.self, forKey: .dtype),
        shape: try container.decode([Int].self, forKey: .shape),
        offsets: try container.decode([Int].self, forKey: .offsets))
    }
  }
}
