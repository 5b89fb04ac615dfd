internal import OrderedCollections

/// Reads the members of one object of a ds_config by name, and keeps what they come to.
///
/// Nothing is thrown in the middle: a member that does not fit is reported and its default taken, so that one error can
/// name everything. Members that nobody asked for are unknown; ``finish()`` reports them.
final class DeepSpeedSection {
  /// What is found in a whole configuration.
  final class Report {
    /// The file, with a colon, or nothing.
    let origin: String
    var problems: [ConfigurationError.Problem] = []
    /// Names of members without an effect here, and why.
    var ignored: [(name: String, reason: String)] = []
    /// The names that each object may have, by the path of the object.
    fileprivate var known: OrderedDictionary<String, [String]> = [:]
    fileprivate var unknown: [(path: String, key: String)] = []

    init(origin: String) { self.origin = origin }

    /// Reports the members that nobody asked for, when all objects have been read.
    func reportUnknown() {
      for (path, key) in unknown {
        let name = path.isEmpty ? key : "\(path).\(key)"
        let homes = known.filter { $0.key != path && $0.value.contains(key) }.keys
        let home = homes.count == 1 ? homes.first : nil
        problems.append(
          .init(
            name, "\(origin)there is no '\(name)' in a ds_config",
            suggestion: home.map { $0.isEmpty ? "'\(key)' belongs at the top" : "it belongs in '\($0)'" }
              ?? hint(key, among: known[path] ?? [])))
      }
    }
  }

  let report: Report
  private let path: String
  private let members: OrderedDictionary<String, JSONValue>
  private var known: [String] = []
  /// All members with their values or defaults.
  private(set) var effective: OrderedDictionary<String, JSONValue> = [:]

  init(_ value: JSONValue, path: String = "", report: Report) {
    self.path = path
    self.report = report
    if case .object(let members) = value {
      self.members = members
    } else {
      members = [:]
      let place = path.isEmpty ? "the configuration" : "'\(path)'"
      report.problems.append(
        .init(
          path.isEmpty ? "config" : path, "\(report.origin)\(place) should be an object, found \(value.shown)",
          suggestion: "write names and values in braces"))
    }
  }

  /// The name of a member from the top, such as `zero_optimization.stage`.
  func name(_ key: String) -> String { path.isEmpty ? key : "\(path).\(key)" }

  func problem(_ key: String, _ message: String, _ suggestion: String) {
    report.problems.append(.init(name(key), report.origin + message, suggestion: suggestion))
  }

  /// Whether a member was given, and is not null.
  func has(_ key: String) -> Bool { members[key].map { $0 != .null } ?? false }

  /// A member as it was given.
  func value(of key: String) -> JSONValue? { members[key] }

  /// Takes a name for known.
  func know(_ key: String) { known.append(key) }

  /// Takes all names for known, where it is not known which ones belong here.
  func knowAll() { known += members.keys }

  /// The value of a member; nil when there is none, or `"auto"` where that stands for the default.
  private func given(_ key: String, auto: Bool) -> JSONValue? {
    known.append(key)
    guard let value = members[key], value != .null else { return nil }
    // A bare nil beside a JSONValue would be its null.
    if auto, value == .string("auto") { return Optional<JSONValue>.none }
    return value
  }

  private func mismatch(_ key: String, _ value: JSONValue, _ wanted: String, auto: Bool) {
    problem(
      key, "'\(name(key))' is \(value.shown)",
      "give \(wanted)\(auto ? ", or \"auto\"" : "")")
  }

  func flag(_ key: String, default fallback: Bool, auto: Bool = false) -> Bool {
    optionalFlag(key, auto: auto) ?? keep(key, fallback, .bool(fallback))
  }

  func optionalFlag(_ key: String, auto: Bool = false) -> Bool? {
    guard let value = given(key, auto: auto) else { return nil }
    guard case .bool(let flag) = value else {
      mismatch(key, value, "true or false", auto: auto)
      return nil
    }
    return keep(key, flag, .bool(flag))
  }

  /// A whole number; `5e8` is one, too.
  func integer(_ key: String, default fallback: Int, atLeast least: Int = 0, auto: Bool = false) -> Int {
    optionalInteger(key, atLeast: least, auto: auto) ?? keep(key, fallback, .integer(fallback))
  }

  func optionalInteger(_ key: String, atLeast least: Int = 0, auto: Bool = false) -> Int? {
    guard let value = given(key, auto: auto) else { return nil }
    // Limits that mean "none" are often written as more than there are integers.
    if let number = value.doubleValue, number >= Double(Int.max) { return keep(key, .max, .integer(.max)) }
    guard let number = value.intValue, number >= least else {
      mismatch(key, value, "a whole number that is at least \(least)", auto: auto)
      return nil
    }
    return keep(key, number, .integer(number))
  }

  func number(
    _ key: String, default fallback: Double, _ range: any RangeExpression<Double> = 0.0..., _ wanted: String = "",
    auto: Bool = false
  ) -> Double {
    optionalNumber(key, range, wanted, auto: auto) ?? keep(key, fallback, .number(fallback))
  }

  /// - Parameter wanted: what to give, for messages; a number of at least 0 when left out.
  func optionalNumber(
    _ key: String, _ range: any RangeExpression<Double> = 0.0..., _ wanted: String = "", auto: Bool = false
  ) -> Double? {
    guard let value = given(key, auto: auto) else { return nil }
    guard let number = value.doubleValue, range.contains(number) else {
      mismatch(key, value, wanted.isEmpty ? "a number that is at least 0" : wanted, auto: auto)
      return nil
    }
    return keep(key, number, .number(number))
  }

  /// Two numbers in 0..<1.
  func pair(_ key: String, default fallback: (Double, Double), auto: Bool = false) -> (Double, Double) {
    guard let value = given(key, auto: auto) else { return keepPair(key, fallback) }
    guard case .list(let elements) = value, elements.count == 2, let first = elements[0].doubleValue,
      let second = elements[1].doubleValue, (0..<1).contains(first), (0..<1).contains(second)
    else {
      mismatch(key, value, "two numbers in 0..<1, such as [0.9, 0.999]", auto: auto)
      return keepPair(key, fallback)
    }
    return keepPair(key, (first, second))
  }

  private func keepPair(_ key: String, _ pair: (Double, Double)) -> (Double, Double) {
    keep(key, pair, .list([.number(pair.0), .number(pair.1)]))
  }

  func text(_ key: String) -> String? {
    guard let value = given(key, auto: false) else { return nil }
    guard case .string(let text) = value, !text.isEmpty else {
      mismatch(key, value, "a text", auto: false)
      return nil
    }
    return keep(key, text, .string(text))
  }

  /// One of some names, whatever its case.
  func choice<Choice: RawRepresentable & CaseIterable>(
    _ key: String, _ type: Choice.Type, default fallback: Choice?
  ) -> Choice? where Choice.RawValue == String {
    let usual = { fallback.map { self.keep(key, $0, .string($0.rawValue)) } }
    guard let value = given(key, auto: false) else { return usual() }
    let names = Choice.allCases.map(\.rawValue)
    guard case .string(let name) = value else {
      mismatch(key, value, "one of \(names.joined(separator: ", "))", auto: false)
      return usual()
    }
    guard let choice = Choice.allCases.first(where: { $0.rawValue.lowercased() == name.lowercased() }) else {
      problem(key, "'\(self.name(key))' is '\(name)'", hint(name, among: names))
      return usual()
    }
    return keep(key, choice, .string(choice.rawValue))
  }

  /// The members of an object inside this one; nil when there is none.
  func section<Value>(_ key: String, _ read: (DeepSpeedSection) -> Value) -> Value? {
    guard let value = given(key, auto: false) else { return nil }
    let section = DeepSpeedSection(value, path: name(key), report: report)
    let result = read(section)
    section.finish()
    effective[key] = .object(section.effective)
    return result
  }

  /// As ``section(_:_:)``, with an empty object when there is none.
  func section<Value>(orEmpty key: String, _ read: (DeepSpeedSection) -> Value) -> Value {
    if let value = section(key, read) { return value }
    let section = DeepSpeedSection([:], path: name(key), report: report)
    let result = read(section)
    section.finish()
    effective[key] = .object(section.effective)
    return result
  }

  /// Knows a member that has no effect here.
  func ignore(_ keys: String..., because reason: String) {
    for key in keys {
      known.append(key)
      if has(key) { report.ignored.append((name(key), reason)) }
    }
  }

  /// Reports members that were read and have no effect here.
  func note(_ keys: String..., because reason: String) {
    for key in keys where has(key) { report.ignored.append((name(key), reason)) }
  }

  /// Knows a member that must be off, because it would change what is computed.
  ///
  /// Off is false, 0, an empty object, or an object with `enabled` false.
  func refuse(_ key: String, _ message: String, _ suggestion: String) {
    known.append(key)
    guard let value = members[key], !Self.isOff(value) else { return }
    problem(key, "'\(name(key))' \(message)", suggestion)
  }

  private static func isOff(_ value: JSONValue) -> Bool {
    switch value {
    case .null, .bool(false), .integer(0), .object([:]): true
    case .object(let members): members["enabled"] == .bool(false)
    default: false
    }
  }

  /// Notes the members that nobody asked for.
  func finish() {
    report.known[path] = known
    report.unknown += members.keys.filter { !known.contains($0) }.map { (path, $0) }
  }

  /// Sets what a member comes to.
  func set(_ key: String, _ value: JSONValue) { effective[key] = value }

  private func keep<Value>(_ key: String, _ value: Value, _ shown: JSONValue) -> Value {
    effective[key] = shown
    return value
  }
}

/// What a name may have meant.
private func hint(_ name: String, among known: [String]) -> String {
  let nearest = NearestName.suggestion(for: name, among: known).map { "did you mean '\($0)'? " } ?? ""
  return nearest + "known: " + NearestName.ranked(name, among: known).prefix(12).joined(separator: ", ")
    + (known.count > 12 ? ", ..." : "")
}
