/// Something that says which hardware to train on: a name, a case or an accelerator object.
///
/// ```swift
/// Trainer(accelerator: .cpu)
/// Trainer(accelerator: "gpu")
/// ```
public protocol AcceleratorConvertible {
  /// What was meant.
  var acceleratorReference: AcceleratorReference { get }
}

/// An accelerator as the user gave it.
public enum AcceleratorReference {
  /// By name, as written.
  case named(String)
  /// As an object.
  case instance(any AcceleratorDescribing)
}

/// An accelerator object, as far as the plan of a run has to know it.
public protocol AcceleratorDescribing: AnyObject {
  /// The hardware that it drives.
  var acceleratorKind: AcceleratorKind { get }
}

/// The name of an accelerator, or of a choice among accelerators.
public struct AcceleratorName: RawRepresentable, Hashable, Sendable {
  public let rawValue: String
  public init(rawValue: String) { self.rawValue = rawValue }

  /// The names that may be written: the kinds of hardware, `auto` and `gpu`.
  static let known = (["auto", "gpu"] + AcceleratorKind.allCases.map(\.rawValue)).sorted()
}

extension AcceleratorName: AcceleratorConvertible {
  public var acceleratorReference: AcceleratorReference { .named(rawValue) }
}

extension String: AcceleratorConvertible {
  public var acceleratorReference: AcceleratorReference { .named(self) }
}

extension AcceleratorKind: AcceleratorConvertible {
  public var acceleratorReference: AcceleratorReference { .named(rawValue) }
}

extension AcceleratorConvertible where Self == AcceleratorName {
  /// The best hardware that the machine has.
  public static var auto: AcceleratorName { AcceleratorName(rawValue: "auto") }
  /// The processors.
  public static var cpu: AcceleratorName { AcceleratorName(rawValue: "cpu") }
  /// NVIDIA or AMD graphics processors, or Apple's where there are no others.
  public static var gpu: AcceleratorName { AcceleratorName(rawValue: "gpu") }
  /// Graphics processors driven by CUDA or ROCm.
  public static var cuda: AcceleratorName { AcceleratorName(rawValue: "cuda") }
  /// Apple's graphics processors.
  public static var mps: AcceleratorName { AcceleratorName(rawValue: "mps") }
  /// Google's tensor processing units.
  public static var tpu: AcceleratorName { AcceleratorName(rawValue: "tpu") }
  /// Graphcore's intelligence processing units.
  public static var ipu: AcceleratorName { AcceleratorName(rawValue: "ipu") }
  /// Habana's Gaudi processors.
  public static var hpu: AcceleratorName { AcceleratorName(rawValue: "hpu") }
}
