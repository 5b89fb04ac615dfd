/// Which devices, or how many, a run asks for, exactly as the user wrote it.
///
/// | written | meaning |
/// | --- | --- |
/// | `3`, `"3"` | the first three; on `cpu` three processes |
/// | `-1`, `"-1"` | all of them |
/// | `[0, 2]`, `"0, 2"` | exactly these |
/// | `"2,"` | the one with index 2 |
/// | `"auto"`, `.auto` | all of them; on `cpu` one process |
public enum DeviceRequest: Hashable, Sendable {
  /// As many as make sense.
  case auto
  /// This many, or all for -1.
  case count(Int)
  /// Those with these indices.
  case indices([Int])
  /// As written in a configuration file or on a command line.
  case text(String)
}

extension DeviceRequest: ExpressibleByIntegerLiteral, ExpressibleByArrayLiteral, ExpressibleByStringLiteral {
  public init(integerLiteral value: Int) { self = .count(value) }
  public init(arrayLiteral elements: Int...) { self = .indices(elements) }
  public init(stringLiteral value: String) { self = .text(value) }
}

extension DeviceRequest: CustomStringConvertible {
  /// What the user would write: `3`, `[0, 2]`, `"0, 2"`, `auto`.
  public var description: String {
    switch self {
    case .auto: "auto"
    case .count(let count): "\(count)"
    case .indices(let indices): "\(indices)"
    case .text(let text): "\"\(text)\""
    }
  }
}
