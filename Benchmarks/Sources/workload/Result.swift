/// What a run measured: numbers with names, printed as one line of JSON.
struct Result {
  private var fields: [String] = []

  mutating func add(_ name: String, _ value: Double) {
    fields.append("\"\(name)\": \(value)")
  }

  func print() {
    Swift.print("{" + fields.joined(separator: ", ") + "}")
  }
}
