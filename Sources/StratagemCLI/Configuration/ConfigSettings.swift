internal import OrderedCollections
internal import Stratagem

/// One of a few names.
struct NamedSetting<Choice: RawRepresentable & CaseIterable>: ConfigConvertible where Choice.RawValue == String {
  var value: Choice

  init(_ value: Choice) { self.value = value }

  static var accepted: String { Choice.allCases.map(\.rawValue).joined(separator: ", ") }

  init?(_ node: ConfigNode) throws {
    guard let text = node.scalar?.text, let value = Choice(rawValue: text.lowercased()) else { return nil }
    self.value = value
  }

  var node: ConfigNode { .text(value.rawValue) }
}

/// How many devices, or which.
struct DevicesSetting: ConfigConvertible {
  var value: DeviceRequest

  init(_ value: DeviceRequest) { self.value = value }

  static var accepted: String { "a number such as 2, a list such as [0, 2], -1 for all, or auto" }

  init?(_ node: ConfigNode) throws {
    switch node.content {
    case .scalar(let scalar) where !scalar.isNull: value = .text(scalar.text)
    case .list(let list):
      let indices = list.compactMap { $0.scalar?.integer(Int.self) }
      guard indices.count == list.count else { return nil }
      value = .indices(indices)
    default: return nil
    }
  }

  var node: ConfigNode {
    switch value {
    case .auto: .plain("auto")
    case .count(let count): .plain("\(count)")
    case .text(let text): .plain(text)
    case .indices(let indices): ConfigNode(content: .list(indices.map { .plain("\($0)") }), origin: .program)
    }
  }
}

/// How much of a loader is used.
struct LimitSetting: ConfigConvertible {
  var value: Limit

  init(_ value: Limit) { self.value = value }

  static var accepted: String { "all, a number of batches such as 10, or a fraction such as 0.25" }

  init?(_ node: ConfigNode) throws {
    guard let scalar = node.scalar, let value = try? Limit(parsing: scalar.text) else { return nil }
    self.value = value
  }

  var node: ConfigNode { .plain(value.description) }
}

/// How long to train.
struct DurationSetting: ConfigConvertible {
  var value: TrainingDuration

  init(_ value: TrainingDuration) { self.value = value }

  static var accepted: String {
    "a number and its unit: 5ep (epochs), 100st (steps), 5000sp (samples), 90s, 30m, 2h, 1d, or 00:12:30:00"
  }

  init?(_ node: ConfigNode) throws {
    guard let scalar = node.scalar, let value = try? TrainingDuration(parsing: scalar.text) else { return nil }
    self.value = value
  }

  var node: ConfigNode { .plain(value.description) }
}

/// A span of time.
struct TimeSetting: ConfigConvertible {
  var value: Duration

  static var accepted: String { "a number and its unit such as 90s, 30m, 2h or 1d, or 00:12:30:00" }

  init?(_ node: ConfigNode) throws {
    guard let scalar = node.scalar, case .time(let seconds)? = try? TrainingDuration(parsing: scalar.text) else {
      return nil
    }
    value = .seconds(seconds)
  }

  var node: ConfigNode { .plain(TrainingDuration.time(value / .seconds(1)).description) }
}

/// A number of batches; `true` for one, `false` for none.
struct BatchCountSetting: ConfigConvertible {
  var value: Int

  init(_ value: Int) { self.value = value }

  static var accepted: String { "a number of batches, true for one or false for none" }

  init?(_ node: ConfigNode) throws {
    guard let scalar = node.scalar else { return nil }
    if let number = scalar.integer(Int.self), number >= 0 {
      value = number
    } else if let flag = scalar.bool {
      value = flag ? 1 : 0
    } else {
      return nil
    }
  }

  var node: ConfigNode {
    ConfigNode(content: .scalar(ConfigScalar("\(value)")), origin: .program, keys: .switchable)
  }
}

/// Whether operators are to be deterministic.
struct DeterminismSetting: ConfigConvertible {
  var value: Determinism

  init(_ value: Determinism) { self.value = value }

  static var accepted: String { "true, false or warn" }

  init?(_ node: ConfigNode) throws {
    guard let scalar = node.scalar else { return nil }
    if let flag = scalar.bool {
      value = flag ? .on : .off
    } else if scalar.text == "warn" {
      value = .warn
    } else {
      return nil
    }
  }

  var node: ConfigNode { .plain(value == .warn ? "warn" : "\(value == .on)") }
}
