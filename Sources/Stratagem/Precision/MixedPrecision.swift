public import Torch
public import TorchOptim

/// Parameters and optimizer in float32; matrix products and convolutions in bfloat16 or float16 by autocast.
///
/// bfloat16 has the exponents of float32 and needs nothing more. float16 does not: the loss is scaled so that small
/// gradients do not vanish, and updates whose gradients overflow are left out.
///
/// ```swift
/// Trainer(precision: "bf16-mixed")
/// Trainer(precision: try MixedPrecision(.float16Mixed, scaler: GradScaler(initialScale: 1024)))
/// ```
///
/// By name, `16-mixed` is `bf16-mixed` on a CPU, which is faster and safer there; given as an object it is float16 on a
/// CPU, too. See PyTorch's `torch.autocast` and Lightning's `MixedPrecision`.
open class MixedPrecision: Precision {
  /// The type that autocast computes in.
  public let computeType: DType
  /// What scales the loss; nil for bfloat16.
  public let scaler: GradScaler?

  /// - Parameters:
  ///   - kind: `.bfloat16Mixed` or `.float16Mixed`.
  ///   - scaler: for `.float16Mixed`; a ``GradScaler`` with the usual options when left out.
  public init(_ kind: PrecisionKind, scaler: GradScaler? = nil) throws(ConfigurationError) {
    switch kind {
    case .float16Mixed: (computeType, self.scaler) = (.float16, scaler ?? GradScaler())
    case .bfloat16Mixed:
      guard scaler == nil else {
        throw ConfigurationError(
          "precision", "precision '\(kind)' needs no loss scaling, and a GradScaler was given",
          suggestion: "leave the scaler out, or use '\(PrecisionKind.float16Mixed)'")
      }
      (computeType, self.scaler) = (.bfloat16, nil)
    default:
      throw ConfigurationError(
        "precision", "'\(kind)' is not a mixed precision",
        suggestion: "give .bfloat16Mixed or .float16Mixed, or use TruePrecision")
    }
    super.init(kind)
  }

  init(_ kind: PrecisionKind, _ computeType: DType, scaler: GradScaler?) {
    self.computeType = computeType
    self.scaler = scaler
    super.init(kind)
  }

  open override func forward<Result>(_ body: () throws -> Result) rethrows -> Result {
    try withAutocast(to: computeType, on: deviceKind, body)
  }

  open override func backward(_ loss: Tensor, _ compute: (Tensor) throws -> Void = { $0.backward() }) throws {
    try super.backward(scaler?.scale(loss) ?? loss, compute)
  }

  open override func unscaleGradients(of optimizer: Optimizer) throws { scaler?.unscaleGradients(of: optimizer) }

  open override func step(_ optimizer: Optimizer) throws -> Bool {
    guard let scaler else { return try super.step(optimizer) }
    let isDone = scaler.step(optimizer)
    scaler.update()
    return isDone
  }

  open override func state() -> ArchiveDictionary { scaler?.stateDictionary() ?? [:] }

  open override func load(_ state: ArchiveDictionary) throws { try scaler?.load(state) }
}
