/// Where a ``DeepSpeedConfig`` comes from: a literal of JSON, or the path of a file.
public enum DeepSpeedConfigSource: Sendable, ExpressibleByStringLiteral, ExpressibleByDictionaryLiteral {
  case file(String)
  case value(JSONValue)

  public init(stringLiteral path: String) { self = .file(path) }

  public init(dictionaryLiteral elements: (String, JSONValue)...) {
    self = .value(.object(.init(elements) { _, later in later }))
  }

  func read() throws(ConfigurationError) -> DeepSpeedConfig {
    switch self {
    case .file(let path): try DeepSpeedConfig(file: path)
    case .value(let value): try DeepSpeedConfig(value)
    }
  }
}
