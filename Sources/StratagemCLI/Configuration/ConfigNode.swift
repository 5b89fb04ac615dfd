internal import OrderedCollections

/// A value of a configuration together with the place where it was written.
struct ConfigNode {
  typealias Map = OrderedDictionary<String, ConfigNode>

  enum Content {
    case scalar(ConfigScalar)
    case list([ConfigNode])
    case map(Map)
  }

  /// Which keys a map of the program's defaults takes over from a file.
  enum Keys {
    /// Those it has.
    case known
    /// Any.
    case any
    /// None: a number that `true` and `false` stand for, too.
    case switchable
    /// `name` and the options of what is named: another name does not inherit the options, and a text is a name.
    case choice
  }

  var content: Content
  var origin: ConfigOrigin
  var keys = Keys.known

  static func null(_ origin: ConfigOrigin = .program) -> ConfigNode {
    ConfigNode(content: .scalar(ConfigScalar("null")), origin: origin)
  }

  static func text(_ text: String, _ origin: ConfigOrigin = .program) -> ConfigNode {
    ConfigNode(content: .scalar(ConfigScalar(text: text)), origin: origin)
  }

  static func plain(_ text: String, _ origin: ConfigOrigin = .program) -> ConfigNode {
    ConfigNode(content: .scalar(ConfigScalar(text)), origin: origin)
  }

  var scalar: ConfigScalar? { if case .scalar(let scalar) = content { scalar } else { nil } }
  var map: Map? { if case .map(let map) = content { map } else { nil } }
  var list: [ConfigNode]? { if case .list(let list) = content { list } else { nil } }
  var isNull: Bool { scalar?.isNull ?? false }

  /// The value at a path of keys; assigning makes the maps on the way.
  subscript(path: [String]) -> ConfigNode? {
    get {
      guard let first = path.first else { return self }
      return map?[first]?[Array(path.dropFirst())]
    }
    set {
      guard let first = path.first, let newValue else {
        if let newValue { self = newValue }
        return
      }
      var map = self.map ?? [:]
      var child = map[first] ?? ConfigNode(content: .map([:]), origin: newValue.origin)
      child[Array(path.dropFirst())] = newValue
      map[first] = child
      content = .map(map)
    }
  }
}

extension ConfigNode: Equatable {
  /// Equal values, wherever they were written.
  static func == (left: ConfigNode, right: ConfigNode) -> Bool {
    switch (left.content, right.content) {
    case (.scalar(let a), .scalar(let b)): a == b || (a.isNull && b.isNull)
    case (.list(let a), .list(let b)): a == b
    case (.map(let a), .map(let b)): a.count == b.count && a.allSatisfy { b[$0.key] == $0.value }
    default: false
    }
  }
}

extension ConfigNode: CustomStringConvertible {
  /// The value on one line, as YAML.
  var description: String {
    switch content {
    case .scalar(let scalar): scalar.yaml
    case .list(let list): "[" + list.map(\.description).joined(separator: ", ") + "]"
    case .map(let map):
      "{" + map.map { "\(ConfigScalar(text: $0.key).yaml): \($0.value)" }.joined(separator: ", ") + "}"
    }
  }
}
