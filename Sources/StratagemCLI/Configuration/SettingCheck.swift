internal import Stratagem

/// Collects what is wrong with the numbers of a configuration, so that all of it is said at once.
struct SettingCheck {
  private(set) var problems: [ConfigurationError.Problem] = []
  private let root: ConfigNode

  init(_ root: ConfigNode) { self.root = root }

  mutating func require(_ key: String, _ value: Int?, atLeast least: Int) {
    guard let value, value < least else { return }
    report(key, "is \(value); give a whole number of \(least) or more")
  }

  mutating func require(_ key: String, _ value: Double?, positive: Bool = false) {
    guard let value, !(value.isFinite && (positive ? value > 0 : value >= 0)) else { return }
    report(key, "is \(value); give a number \(positive ? "above 0" : "of 0 or more")")
  }

  mutating func exclude(_ key: String, _ isGiven: Bool, _ other: String, _ isOtherGiven: Bool) {
    guard isGiven, isOtherGiven else { return }
    report(key, "and \(SettingName.of(other, in: root)) both say when training ends; give one of them")
  }

  private mutating func report(_ key: String, _ remark: String) {
    problems.append(.init(key, "\(SettingName.of(key, in: root)) \(remark)"))
  }
}

/// What a setting is called in messages.
enum SettingName {
  /// Its flag, or its key with the place in the file where it was set.
  static func of(_ key: String, in root: ConfigNode) -> String {
    let path = key.split(separator: ".").map(String.init)
    switch root[path]?.origin {
    case .flag(let flag): return flag
    case .file(let file, let line): return "\(file):\(line): \(key)"
    case .program, nil: return SettingFlag.all.first { $0.key == key }?.name ?? key
    }
  }
}
