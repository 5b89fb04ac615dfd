internal import Stratagem

/// A value that its reader cannot use.
struct ConfigMismatch: Error {
  let path: [String]
  let node: ConfigNode
  /// What is accepted, such as `a whole number`.
  let accepted: String
  /// What the reader said, when it said more than that the value is not accepted.
  var detail: String?

  var problem: ConfigurationError.Problem {
    let key = path.joined(separator: ".")
    let name = node.origin == .flag("--" + key) ? "--" + key : "\(node.origin.prefix)\(key)"
    if let detail { return .init(key, "\(name): \(detail)") }
    let value = node.scalar.map { $0.isNull ? "nothing" : "'\($0.text)'" } ?? "\(node)"
    return .init(key, "\(name) is \(value)", suggestion: "accepted: \(accepted)")
  }
}

/// A value with a spelling of its own, such as `5ep` or `[0, 2]`.
protocol ConfigConvertible: Codable {
  /// What may be written, as the end of a sentence.
  static var accepted: String { get }

  /// Reads what was written; nil when it is not what is accepted.
  ///
  /// - Throws: `ConfigurationError` for what can be said better than that.
  init?(_ node: ConfigNode) throws

  /// What reads back as this.
  var node: ConfigNode { get }
}

extension ConfigConvertible {
  init(from decoder: any Decoder) throws {
    guard let decoder = decoder as? ConfigDecoder else {
      throw DecodingError.dataCorrupted(
        .init(codingPath: decoder.codingPath, debugDescription: "this value is read from configurations only"))
    }
    do {
      guard let value = try Self(decoder.node) else {
        throw ConfigMismatch(path: decoder.path, node: decoder.node, accepted: Self.accepted)
      }
      self = value
    } catch let error as ConfigurationError {
      throw ConfigMismatch(
        path: decoder.path, node: decoder.node, accepted: Self.accepted,
        detail: error.problems.map(\.description).joined(separator: "; "))
    }
  }

  func encode(to encoder: any Encoder) throws {
    if let encoder = encoder as? ConfigEncoder {
      encoder.node = node
    } else {
      try node.description.encode(to: encoder)
    }
  }
}
