public import Torch
public import TorchNN
public import TorchOptim

/// The number formats of a run: what parameters, inputs and arithmetic use. The base class is plain float32.
///
/// Subclass it, or ``MixedPrecision`` or ``TruePrecision``, and hand the object to the trainer or to a strategy. Its parts
/// are called in this order:
///
/// ```
/// convert(_:)                          once, before optimizers are made
/// per batch:  forward(_:)              around the module's step
///             backward(_:)             scales the loss, then computes the gradients
/// per update: unscaleGradients(of:)    before onBeforeOptimizerStep and clipping
///             step(_:)                 the update, left out when gradients are not finite
/// state() and load(_:)                 with checkpoints, and so that another fit begins as the first one did
/// tearDown()
/// ```
///
/// See Lightning's `Precision` plugins.
open class Precision: PrecisionDescribing, PrecisionConvertible {
  public let precisionKind: PrecisionKind

  public init(_ kind: PrecisionKind = .float32) { precisionKind = kind }

  public var precisionReference: PrecisionReference { .instance(self) }

  /// The plugin of a format.
  static func make(_ kind: PrecisionKind) -> Precision {
    switch kind {
    case .float64: TruePrecision(kind, .float64)
    case .bfloat16: TruePrecision(kind, .bfloat16)
    case .float16: TruePrecision(kind, .float16)
    case .bfloat16Mixed: MixedPrecision(kind, .bfloat16, scaler: nil)
    case .float16Mixed: MixedPrecision(kind, .float16, scaler: GradScaler())
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

  /// Computes the gradients of `loss`, or of what the plugin makes of it.
  ///
  /// - Parameter compute: runs the backward pass; the module's ``AnyLightningModule/backward(_:)`` in a run.
  open func backward(_ loss: Tensor, _ compute: (Tensor) throws -> Void = { $0.backward() }) throws {
    try compute(loss)
  }

  /// Gives the gradients of the optimizer's parameters their true size, for whoever looks at or changes them before the
  /// update. Called once an update.
  open func unscaleGradients(of optimizer: Optimizer) throws {}

  /// Performs the update. Gradients are unscaled and clipped by then.
  ///
  /// - Returns: false when the update was left out because a gradient is not finite. All ranks must come to the same answer,
  ///   as they do when the gradients were reduced.
  @discardableResult
  open func step(_ optimizer: Optimizer) throws -> Bool {
    optimizer.performStep()
    return true
  }

  /// What the plugin's state is called in a checkpoint: the name of its class.
  open var stateKey: String { "\(type(of: self))" }

  /// What has to be kept in a checkpoint; empty for nothing.
  open func state() -> ArchiveDictionary { [:] }

  /// Takes over what ``state()`` returned.
  open func load(_ state: ArchiveDictionary) throws {}

  /// Called at the end of a run, also after an error.
  open func tearDown() {}
}
