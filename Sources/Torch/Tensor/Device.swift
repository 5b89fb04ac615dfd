internal import CTorch

/// A place where tensors live.
public struct Device: Hashable, Sendable, CustomStringConvertible {
  /// Raw values are those of `c10::DeviceType`.
  public enum Kind: Int8, Sendable, Hashable {
    case cpu = 0
    case cuda = 1
    case xla = 9
    case mps = 13
    case meta = 14
    case hpu = 15
    case ipu = 18
  }

  public let kind: Kind
  /// Number of the device among those of its kind; nil for the current one.
  public let index: Int?

  public init(_ kind: Kind, index: Int? = nil) {
    self.kind = kind
    self.index = index
  }

  public static let cpu = Device(.cpu)
  /// No memory behind it: shapes and types only.
  public static let meta = Device(.meta)
  public static func cuda(_ index: Int) -> Device { Device(.cuda, index: index) }

  init(raw: ct_device) {
    self.init(Kind(rawValue: Int8(raw.kind)) ?? .cpu, index: raw.index < 0 ? nil : Int(raw.index))
  }

  var raw: ct_device { ct_device(kind: Int32(kind.rawValue), index: Int32(index ?? -1)) }

  static func raw(_ device: Device?) -> ct_device { device?.raw ?? ct_device(kind: -1, index: -1) }

  public var description: String {
    let name = "\(kind)"
    return index.map { "\(name):\($0)" } ?? name
  }
}
