/// Finds the known name that a misspelt one most likely stands for.
package enum NearestName {
  /// Returns the known names, nearest to `name` first; equally near names stay in alphabetical order.
  package static func ranked(_ name: String, among known: some Sequence<String>) -> [String] {
    let written = name.lowercased()
    return known.map { (name: $0, distance: distance(written, $0.lowercased())) }
      .sorted { ($0.distance, $0.name) < ($1.distance, $1.name) }
      .map(\.name)
  }

  /// Returns the one known name that is near enough to be a misspelling of `name`.
  ///
  /// Near enough is an edit for every three characters of the longer name, at least one, and never so many that nothing
  /// of what was written is left.
  package static func suggestion(for name: String, among known: some Sequence<String>) -> String? {
    guard let best = ranked(name, among: known).first else { return nil }
    let allowed = max(1, max(name.count, best.count) / 3)
    let edits = distance(name.lowercased(), best.lowercased())
    return edits <= allowed && edits < name.count ? best : nil
  }

  /// Returns the Damerau–Levenshtein distance: the least number of insertions, deletions, replacements and swaps of
  /// neighbours that turn one text into the other.
  ///
  /// The unrestricted form (Lowrance and Wagner 1975): a swapped pair may be edited again.
  package static func distance(_ first: String, _ second: String) -> Int {
    let a = Array(first)
    let b = Array(second)
    let unreachable = a.count + b.count
    // `table[i + 1][j + 1]` is the distance of the first `i` characters of `a` and the first `j` of `b`.
    var table = [[Int]](repeating: [Int](repeating: unreachable, count: b.count + 2), count: a.count + 2)
    for i in 0...a.count { table[i + 1][1] = i }
    for j in 0...b.count { table[1][j + 1] = j }
    var lastRow: [Character: Int] = [:]
    for i in 0..<a.count {
      var lastColumn = 0
      for j in 0..<b.count {
        let row = lastRow[b[j]] ?? 0
        let column = lastColumn
        let same = a[i] == b[j]
        if same { lastColumn = j + 1 }
        table[i + 2][j + 2] = min(
          table[i + 1][j + 1] + (same ? 0 : 1),
          table[i + 2][j + 1] + 1,
          table[i + 1][j + 2] + 1,
          table[row][column] + (i - row) + 1 + (j - column))
      }
      lastRow[a[i]] = i + 1
    }
    return table[a.count + 1][b.count + 1]
  }
}
