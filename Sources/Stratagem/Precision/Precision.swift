public import Torch
public import TorchNN
public import TorchOptim

/// The number formats of a run: what parameters, inputs and arithmetic use. The base class is plain float32.
///
/// See Lightning's `Precision` plugins.
open class Precision: PrecisionDescribing, PrecisionConvertible {
  public let precisionKind: PrecisionKind

  public init(_ kind: PrecisionKind = .float32) { precisionKind = kind }

  public var precisionReference: PrecisionReference { .instance(self) }

  /// The plugin of a format.
  static func make(_ kind: PrecisionKind) -> Precision {
    switch kind {
    case .float64: TruePrecision(.float64, dtype: .float64)
    case .bfloat16: TruePrecision(.bfloat16, dtype: .bfloat16)
    case .float16: TruePrecision(.float16, dtype: .float16)
    case .bfloat16Mixed, .float16Mixed: MixedPrecision(kind)
    default: Precision(kind)
    }
  }

  /// The kind of device that computes; filled in by the trainer.
  public internal(set) final var deviceKind = Device.Kind.cpu

  /// The type that the floating-point numbers of a batch are converted to; nil leaves them.
  open var inputType: DType? { nil }

  /// Converts the parameters, before optimizers are made.
  open func convert(_ module: Module) {}

  /// Runs a step of the module.
  open func forward<Result>(_ body: () throws -> Result) rethrows -> Result { try body() }

  /// Computes the gradients of `loss`.
  open func backward(_ loss: Tensor) { loss.backward() }

  /// Gives the gradients of the optimizer's parameters their true size, for whoever looks at or changes them before the
  /// update. Called once an update.
  open func unscaleGradients(of optimizer: Optimizer) throws {}

  /// Performs the update. Gradients are unscaled and clipped by then.
  ///
  /// - Returns: false when the update was left out because a gradient is not finite. All ranks must come to the same answer,
  ///   as they do when the gradients were reduced.
  @discardableResult
  open func step(_ optimizer: Optimizer) throws -> Bool {
    optimizer.step()
    return true
  }
}
