internal import ArgumentParser
internal import OrderedCollections
internal import Stratagem

/// Settings written on the command line by their keys: `--trainer.devices=3`, `--model.hidden 256`.
enum DottedOverrides {
  /// Reads what the command line has beside its flags.
  ///
  /// - Parameters:
  ///   - tokens: the arguments that are no flags, in order.
  ///   - defaults: the program's defaults; a setting that is true or false there needs no value to be true.
  ///   - flags: the flags, for the remark on one that does not exist.
  /// - Throws: `ValidationError` for what is no key with a value.
  static func parse(_ tokens: [String], defaults: ConfigNode, flags: [String]) throws -> [CommandLineSetting] {
    var settings: [CommandLineSetting] = []
    var rest = tokens[...]
    while let token = rest.popFirst() {
      guard token.hasPrefix("--"), token.count > 2 else {
        throw ValidationError("Unexpected argument '\(token)'")
      }
      let parts = token.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
      let name = parts[0]
      let key = name.dropFirst(2).split(separator: ".", omittingEmptySubsequences: false).map(String.init)
      guard key.count > 1 || defaults.map?[key[0]]?.map != nil, !key.contains("") else {
        let guess = NearestName.suggestion(for: name, among: flags).map { ". Did you mean '\($0)'?" } ?? ""
        throw ValidationError("Unknown option '\(name)'\(guess)")
      }
      let text: String
      if parts.count == 2 {
        text = parts[1]
      } else if let next = rest.first, !next.hasPrefix("--") {
        text = next
        rest.removeFirst()
      } else if isSwitch(defaults[key]) {
        text = "true"
      } else {
        throw ValidationError("Missing value for '\(name)': write \(name)=VALUE")
      }
      settings.append(CommandLineSetting(name: name, key: key, value: try value(text, .flag(name))))
    }
    return settings
  }

  /// Whether a setting may stand without a value: it is true or false, or nobody knows yet what it is.
  private static func isSwitch(_ node: ConfigNode?) -> Bool {
    guard let node else { return true }
    return node.keys == .switchable || node.scalar.map { !$0.isQuoted && $0.bool != nil } ?? false
  }

  /// A value on the command line: a list, a map or a quoted text in YAML, and otherwise what stands there.
  private static func value(_ text: String, _ origin: ConfigOrigin) throws -> ConfigNode {
    guard let first = text.first, "[{\"'".contains(first) else {
      return ConfigNode(content: .scalar(ConfigScalar(text)), origin: origin)
    }
    return try ConfigFile.value(of: text) { _ in origin }
  }
}
