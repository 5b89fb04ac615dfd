internal import Glibc
internal import OrderedCollections
internal import Stratagem
internal import Yams

/// Reads configuration files.
enum ConfigFile {
  /// Values in one document beyond this are refused: only repeated aliases make so many.
  private static let maximumCount = 100_000

  /// Reads a YAML file.
  ///
  /// - Throws: `ConfigurationError` with the place in the file: when it cannot be read, is no YAML, holds a key twice or
  ///   is not a map at the top.
  static func read(_ path: String) throws(ConfigurationError) -> ConfigNode {
    try parse(try text(of: path)) { .file(path, line: $0) }
  }

  /// Reads the text of a file or of a flag.
  ///
  /// - Parameter origin: the place of a line.
  static func parse(_ text: String, origin: (Int) -> ConfigOrigin) throws(ConfigurationError) -> ConfigNode {
    let root = try value(of: text, origin: origin)
    if root.isNull { return ConfigNode(content: .map([:]), origin: origin(1)) }
    guard root.map != nil else {
      throw ConfigurationError(
        "config", "\(root.origin.prefix)the file holds \(root.kind), not settings",
        suggestion: "write keys and values, such as `trainer:` and below it `  devices: 2`")
    }
    return root
  }

  /// Reads any value, such as `[0, 2]`.
  static func value(of text: String, origin: (Int) -> ConfigOrigin) throws(ConfigurationError) -> ConfigNode {
    let root: Node?
    do {
      root = try Yams.compose(yaml: text)
    } catch {
      throw problem(error, in: text, origin)
    }
    guard let root else { return .null(origin(1)) }
    var remaining = maximumCount
    return try node(root, origin, depth: 0, &remaining)
  }

  private static func node(
    _ node: Node, _ origin: (Int) -> ConfigOrigin, depth: Int, _ remaining: inout Int
  ) throws(ConfigurationError) -> ConfigNode {
    let place = origin(node.mark?.line ?? 1)
    remaining -= 1
    guard remaining >= 0, depth < 100 else {
      throw ConfigurationError("config", "\(place.prefix)there are too many values, or they are nested too deeply")
    }
    switch node {
    case .scalar(let scalar):
      let isPlain = scalar.style == .plain || scalar.style == .any
      return ConfigNode(content: .scalar(ConfigScalar(scalar.string, isQuoted: !isPlain)), origin: place)
    case .sequence(let sequence):
      var list: [ConfigNode] = []
      for element in sequence { list.append(try Self.node(element, origin, depth: depth + 1, &remaining)) }
      return ConfigNode(content: .list(list), origin: place)
    case .mapping(let mapping):
      var map: ConfigNode.Map = [:]
      var merged: ConfigNode.Map = [:]
      for (key, value) in mapping {
        let value = try Self.node(value, origin, depth: depth + 1, &remaining)
        guard case .scalar(let name) = key else {
          throw ConfigurationError(
            "config", "\(origin(key.mark?.line ?? 1).prefix)a key is not text", suggestion: "write names as keys")
        }
        if name.string == "<<", name.style == .plain {
          for base in value.list ?? [value] { merged.merge(base.map ?? [:]) { first, _ in first } }
        } else {
          map[name.string] = value.at(origin(key.mark?.line ?? node.mark?.line ?? 1))
        }
      }
      map.merge(merged) { own, _ in own }
      return ConfigNode(content: .map(map), origin: place)
    case .alias:
      throw ConfigurationError("config", "\(place.prefix)an alias refers to nothing")
    }
  }

  private static func problem(
    _ error: any Error, in text: String, _ origin: (Int) -> ConfigOrigin
  ) -> ConfigurationError {
    switch error as? YamlError {
    case .duplicatedKeysInMapping(let keys, let context):
      let names = keys.map { "'\($0)'" }.joined(separator: ", ")
      return ConfigurationError(
        "config", "\(origin(max(1, context.mark.line)).prefix)\(names) is given more than once in one map",
        suggestion: "keep one of them")
    case .scanner(let context, let problem, let mark, _), .parser(let context, let problem, let mark, _),
      .composer(let context, let problem, let mark, _):
      let what = [context?.text, problem].compactMap { $0 }.joined(separator: ", ")
      return ConfigurationError(
        "config", "\(origin(mark.line).prefix)this is not YAML: \(what) (column \(mark.column))")
    case .reader(let problem, let offset, _, _):
      let line = text.prefix(offset ?? 0).count { $0.isNewline } + 1
      return ConfigurationError("config", "\(origin(line).prefix)this is not YAML: \(problem)")
    default:
      return ConfigurationError("config", "\(origin(1).prefix)this is not YAML: \(error)")
    }
  }

  private static func text(of path: String) throws(ConfigurationError) -> String {
    func unreadable(_ reason: String) -> ConfigurationError {
      ConfigurationError("--config", "--config \(path): \(reason)", suggestion: "name a YAML file")
    }
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw unreadable(String(cString: strerror(errno))) }
    defer { close(descriptor) }
    var bytes: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    while true {
      let count = Glibc.read(descriptor, &buffer, buffer.count)
      if count < 0 && errno == EINTR { continue }
      if count < 0 { throw unreadable(String(cString: strerror(errno))) }
      if count == 0 { break }
      bytes += buffer[..<count]
      if bytes.count > 16 << 20 { throw unreadable("the file has more than 16 MB") }
    }
    guard let text = String(validating: bytes, as: UTF8.self) else { throw unreadable("the file is not UTF-8 text") }
    return text
  }
}

extension ConfigNode {
  /// The value, said to stand at another place: a value that is itself a map or a list begins where its key stands.
  fileprivate func at(_ origin: ConfigOrigin) -> ConfigNode {
    var node = self
    node.origin = origin
    return node
  }

  /// What kind of value this is, for messages.
  var kind: String {
    switch content {
    case .scalar(let scalar): scalar.isNull ? "nothing" : "a single value"
    case .list: "a list"
    case .map: "settings of its own"
    }
  }
}
