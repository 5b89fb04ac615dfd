/// SLURM's way to write the names of hosts: `a,b`, `a b`, `host[5-9]`, `rack[01,03]node[2-4],login`.
enum HostList {
  /// Returns the first host of a list, or `nil` when the text is no list.
  ///
  /// A bracket holds numbers and ranges of numbers, which keep their leading zeros; there may be several in a name, but
  /// none inside another.
  static func first(_ list: String) -> String? {
    var host = ""
    var rest = list[...].drop { $0.isWhitespace || $0 == "," }
    while let character = rest.first, character != ",", !character.isWhitespace {
      rest.removeFirst()
      if character == "]" { return nil }
      guard character == "[" else {
        host.append(character)
        continue
      }
      guard let end = rest.firstIndex(of: "]"), let number = firstNumber(of: rest[..<end]) else { return nil }
      host += number
      rest = rest[rest.index(after: end)...]
    }
    return host.isEmpty ? nil : host
  }

  /// Returns the first number of `05-09,12`, or `nil` unless all of it is numbers and ranges.
  private static func firstNumber(of bracket: Substring) -> Substring? {
    let items = bracket.split(separator: ",", omittingEmptySubsequences: false)
    for item in items {
      let ends = item.split(separator: "-", omittingEmptySubsequences: false)
      guard (1...2).contains(ends.count), ends.allSatisfy({ !$0.isEmpty && $0.allSatisfy(\.isWholeNumber) }) else {
        return nil
      }
    }
    return items.first?.prefix { $0 != "-" }
  }
}
