/// The spelling of state-dictionary keys.
enum StateKey {
  /// Returns `name` in snake case: `runningMean` gives `running_mean`, `cAttn` gives `c_attn`, `URLPath` gives
  /// `url_path`. Names without capitals are returned unchanged.
  static func snakeCase(_ name: String) -> String {
    let letters = Array(name.unicodeScalars)
    var result = ""
    for (index, letter) in letters.enumerated() {
      guard isCapital(letter) else {
        result.unicodeScalars.append(letter)
        continue
      }
      if index > 0, letters[index - 1] != "_" {
        let nextIsSmall = index + 1 < letters.count && isSmall(letters[index + 1])
        if !isCapital(letters[index - 1]) || nextIsSmall { result += "_" }
      }
      result += letter.properties.lowercaseMapping
    }
    return result
  }

  /// Joins a path and a name with a dot; an empty part is left out.
  static func join(_ prefix: String, _ name: String) -> String {
    if prefix.isEmpty { return name }
    return name.isEmpty ? prefix : prefix + "." + name
  }

  private static func isCapital(_ letter: Unicode.Scalar) -> Bool { letter.properties.isUppercase }
  private static func isSmall(_ letter: Unicode.Scalar) -> Bool { letter.properties.isLowercase }
}
