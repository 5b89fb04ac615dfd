public import Torch

/// A kind of hardware: what has to be done to compute on it.
open class Accelerator: AcceleratorDescribing, AcceleratorConvertible {
  public let acceleratorKind: AcceleratorKind

  public init(_ kind: AcceleratorKind) { acceleratorKind = kind }

  public var acceleratorReference: AcceleratorReference { .instance(self) }

  /// Makes `device` the one this process computes on.
  open func setUpDevice(_ device: Device) throws {}

  open func tearDown() {}
}
