/// A name or a position on the way to a value of a checkpoint.
struct ArchiveKey: CodingKey {
  let stringValue: String
  let intValue: Int?

  init(stringValue: String) {
    self.stringValue = stringValue
    intValue = nil
  }

  init(intValue: Int) {
    stringValue = "\(intValue)"
    self.intValue = intValue
  }
}

enum ArchiveName {
  /// `learningRate` as `learning_rate`.
  static func inPython(_ name: String) -> String {
    var result = ""
    var previous: Character?
    for character in name {
      if character.isUppercase, let previous, previous.isLowercase || previous.isNumber { result += "_" }
      result += character.lowercased()
      previous = character
    }
    return result
  }
}
