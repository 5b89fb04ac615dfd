internal import OrderedCollections

/// Writes configurations as YAML.
enum ConfigText {
  /// Returns the settings as a file that reads back as them, with the places of those that are no defaults as comments.
  static func yaml(_ root: ConfigNode) -> String {
    var lines: [String] = []
    append(root.map ?? [:], indentation: "", to: &lines)
    return lines.joined(separator: "\n") + "\n"
  }

  private static func append(_ map: ConfigNode.Map, indentation: String, to lines: inout [String]) {
    for (key, node) in map {
      let start = "\(indentation)\(ConfigScalar(text: key).yaml):"
      let remark = comment(node)
      switch node.content {
      case .map(let children) where node.keys == .choice && children.count == 1 && children["name"] != nil:
        lines.append("\(start) \(children["name"]!)\(comment(children["name"]!))")
      case .map(let children) where !children.isEmpty:
        lines.append(start)
        append(children, indentation: indentation + "  ", to: &lines)
      case .list(let elements) where elements.contains { $0.map != nil }:
        lines.append(start + remark)
        for element in elements { lines.append("\(indentation)  - \(element)") }
      default: lines.append("\(start) \(node)\(remark)")
      }
    }
  }

  private static func comment(_ node: ConfigNode) -> String {
    node.origin == .program ? "" : "  # \(node.origin)"
  }
}
