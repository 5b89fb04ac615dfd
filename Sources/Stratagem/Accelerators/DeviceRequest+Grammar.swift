extension DeviceRequest {
  /// What a request means before the hardware is known.
  enum Selection: Hashable {
    case auto
    case all
    case first(Int)
    case indices([Int])
  }

  /// A request that no hardware could satisfy, and what to write instead.
  struct GrammarError: Error {
    var message: String
    var suggestion: String
  }

  private static let forms = #"write a number such as 2, a list such as [0, 2] or "0, 2", -1 for all, or "auto""#

  /// Returns what the request means.
  ///
  /// - Throws: `GrammarError` for zero, negative numbers other than -1, an empty list, negative or repeated indices, and
  ///   text that is not made of whole numbers.
  func selection() throws(GrammarError) -> Selection {
    switch self {
    case .auto: return .auto
    case .count(let count): return try number(count)
    case .indices(let indices): return try list(indices)
    case .text(let text): return try parsed(text)
    }
  }

  private func parsed(_ text: String) throws(GrammarError) -> Selection {
    let written = Self.trimmed(text)
    if written.isEmpty { throw GrammarError(message: "devices: the text is empty", suggestion: Self.forms) }
    if written.lowercased() == "auto" { return .auto }
    guard written.contains(",") else { return try number(integer(written)) }
    var items = written.split(separator: ",", omittingEmptySubsequences: false).map(Self.trimmed)
    if items.last == "" { items.removeLast() }
    var indices: [Int] = []
    for item in items { indices.append(try integer(item)) }
    return try list(indices)
  }

  private func integer(_ text: String) throws(GrammarError) -> Int {
    if let value = Int(text) { return value }
    let what = text.isEmpty ? "an empty place" : "'\(text)'"
    throw GrammarError(message: "devices: \(self) has \(what) where a whole number belongs", suggestion: Self.forms)
  }

  private func number(_ count: Int) throws(GrammarError) -> Selection {
    if count == -1 { return .all }
    if count > 0 { return .first(count) }
    throw GrammarError(
      message: "devices: \(self) asks for \(count == 0 ? "no device at all" : "a negative number of devices")",
      suggestion: Self.forms)
  }

  private func list(_ indices: [Int]) throws(GrammarError) -> Selection {
    if indices.isEmpty { throw GrammarError(message: "devices: the list is empty", suggestion: Self.forms) }
    if let negative = indices.first(where: { $0 < 0 }) {
      throw GrammarError(
        message: "devices: \(self) has the negative index \(negative)",
        suggestion: "write indices from 0, or -1 without a list for all devices")
    }
    var seen: Set<Int> = []
    if let twice = indices.first(where: { !seen.insert($0).inserted }) {
      throw GrammarError(
        message: "devices: \(self) names index \(twice) more than once", suggestion: "write each index once")
    }
    return .indices(indices)
  }

  private static func trimmed(_ text: some StringProtocol) -> String {
    var slice = Substring(text)
    while slice.first?.isWhitespace == true { slice.removeFirst() }
    while slice.last?.isWhitespace == true { slice.removeLast() }
    return String(slice)
  }
}
