/// Collects the flags that were given.
struct GivenFlags {
  private(set) var settings: [CommandLineSetting] = []

  mutating func add(_ flag: String, _ value: (some CustomStringConvertible)?) {
    if let value { settings.append(SettingFlag.layer(flag, .plain(value.description))) }
  }

  /// A flag that switches its setting off.
  mutating func add(_ flag: String, switchesOff isGiven: Bool) {
    if isGiven { settings.append(SettingFlag.layer(flag, .plain("false"))) }
  }

  /// The settings in the order in which they stand among the arguments; those that do not stand there come first.
  static func ordered(_ settings: [CommandLineSetting], as arguments: [String]) -> [CommandLineSetting] {
    func place(_ setting: CommandLineSetting) -> Int {
      arguments.lastIndex { $0 == setting.name || $0.hasPrefix(setting.name + "=") } ?? -1
    }
    // Settings of one key may stand under the same name: the sort keeps their order.
    return settings.enumerated().sorted { (place($0.element), $0.offset) < (place($1.element), $1.offset) }
      .map(\.element)
  }
}
