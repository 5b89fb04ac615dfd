/// In what number format a model computes and keeps its parameters.
///
/// The raw values are Lightning's names: `-true` keeps the parameters in that format, `-mixed` keeps them in float32 and
/// lets autocast choose the format of each operation.
public enum PrecisionKind: String, CaseIterable, Hashable, Sendable {
  case float64 = "64-true"
  case float32 = "32-true"
  case bfloat16Mixed = "bf16-mixed"
  case float16Mixed = "16-mixed"
  case bfloat16 = "bf16-true"
  case float16 = "16-true"
  case transformerEngine = "transformer-engine"
  case transformerEngineFloat16 = "transformer-engine-float16"

  /// The formats that this version can compute in.
  public static let supported: Set<PrecisionKind> = [
    .float64, .float32, .bfloat16Mixed, .float16Mixed, .bfloat16, .float16,
  ]

  /// Returns the precision of a name: a raw value or one of the short forms `64`, `32`, `16` and `bf16`.
  ///
  /// Upper and lower case are the same.
  public init?(name: String) {
    let name = name.lowercased()
    guard let kind = Self(rawValue: name) ?? Self.shortNames[name] else { return nil }
    self = kind
  }

  /// The short forms and what they stand for; `16` and `bf16` mean mixed precision, as in Lightning.
  static let shortNames: [String: PrecisionKind] = [
    "64": .float64, "32": .float32, "16": .float16Mixed, "bf16": .bfloat16Mixed,
  ]

  /// Every name that may be written, sorted.
  static let names = (allCases.map(\.rawValue) + shortNames.keys).sorted()
}

extension PrecisionKind: CustomStringConvertible {
  public var description: String { rawValue }
}
