internal import ArgumentParser
internal import Stratagem

/// Reads flags whose value is one of a few names.
enum NamedChoice {
  /// Returns the case of that name.
  ///
  /// - Throws: `ValidationError` that lists the known names, the nearest first.
  static func parse<Choice: RawRepresentable & CaseIterable>(
    _ text: String, _ noun: String
  ) throws -> Choice where Choice.RawValue == String {
    if let choice = Choice(rawValue: text.lowercased()) { return choice }
    let names = Choice.allCases.map(\.rawValue)
    let guess = NearestName.suggestion(for: text, among: names).map { " did you mean '\($0)'?" } ?? ""
    let known = NearestName.ranked(text, among: names).joined(separator: ", ")
    throw ValidationError("no \(noun) named '\(text)';\(guess) known: \(known)")
  }
}
