internal import CTorch

/// Whether operations of this thread are recorded for backward.
public var isGradientEnabled: Bool { ct_grad_mode() }

/// Runs `body` without recording operations. Synchronous only: the mode belongs to the thread.
public func withoutGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = ct_grad_mode()
  ct_set_grad_mode(false)
  defer { ct_set_grad_mode(before) }
  return try body()
}

/// Runs `body` with recording on, inside a scope that has it off.
public func withGradients<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = ct_grad_mode()
  ct_set_grad_mode(true)
  defer { ct_set_grad_mode(before) }
  return try body()
}

/// Runs `body` in inference mode: faster than ``withoutGradients(_:)``, but its tensors can never take part in autograd.
///
/// See PyTorch's `torch.inference_mode`.
public func withInferenceMode<Result>(_ body: () throws -> Result) rethrows -> Result {
  let guardian = ct_inference_enter(true)
  defer { ct_inference_exit(guardian) }
  return try body()
}

/// Runs `body` with automatic mixed precision: matrix products and convolutions compute in `dtype`.
///
/// See PyTorch's `torch.autocast`.
public func withAutocast<Result>(
  to dtype: DType, on kind: Device.Kind = .cpu, _ body: () throws -> Result
) rethrows -> Result {
  let device = Int32(kind.rawValue)
  let before = (enabled: ct_autocast_enabled(device), dtype: ct_autocast_dtype(device))
  ct_set_autocast(device, true, dtype.raw)
  ct_autocast_nesting(1)
  defer {
    ct_autocast_nesting(-1)
    ct_set_autocast(device, before.enabled, before.dtype)
  }
  return try body()
}
