/// A value in a line of JSON: a number or a text.
enum JSONMember: Decodable, Equatable, Sendable {
  case number(Double)
  case text(String)
  case null

  init(from decoder: any Decoder) throws {
    let container = try decoder.singleValueContainer()
    if container.decodeNil() {
      self = .null
    } else if let number = try? container.decode(Double.self) {
      self = .number(number)
    } else {
      self = .text(try container.decode(String.self))
    }
  }

  var number: Double? {
    guard case .number(let value) = self else { return nil }
    return value
  }
}
