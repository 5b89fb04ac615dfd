public import Torch

extension Module {
  /// Sets all gradients to `nil`, or, with `setToNone: false`, to zero.
  public final func zeroGradients(setToNone: Bool = true) {
    for parameter in parameters() {
      if setToNone { parameter.gradient = nil } else { parameter.gradient?.zero() }
    }
  }

  /// Stops the training of all parameters: they no longer require a gradient.
  public final func freeze() {
    for parameter in parameters() { parameter.requiresGradient = false }
  }

  /// Undoes `freeze()`.
  public final func unfreeze() {
    for parameter in parameters() { parameter.requiresGradient = true }
  }

  /// Moves all parameters, their gradients and all buffers to `device`.
  public final func to(_ device: Device) {
    convert { $0.device == device || $0.device.kind == .meta ? $0 : $0.to(device) }
  }

  /// Converts all floating-point parameters, their gradients and floating-point buffers to `dtype`.
  ///
  /// Tensors of integers and booleans keep their type, as in PyTorch.
  public final func to(_ dtype: DType) {
    convert { $0.dtype == dtype || !$0.dtype.isFloatingPoint ? $0 : $0.to(dtype) }
  }

  /// Lets each tensor hold what `change` returns. Tensors keep their identity, so optimizers and hooks need not know.
  private final func convert(_ change: (Tensor) -> Tensor) {
    var seen = Set<OpaquePointer>()
    withoutGradients {
      for occurrence in occurrences() {
        let holders: [TensorHolder] =
          occurrence.entries.parameters.map(\.parameter) + occurrence.entries.buffers.map(\.buffer)
        for case let tensor? in holders.map(\.storage) where seen.insert(tensor.handle).inserted {
          let old = tensor.detached()
          let new = change(old)
          if new === old { continue }
          let gradient = tensor.gradient
          tensor.gradient = nil
          tensor.replaceData(with: new)
          if let gradient { tensor.gradient = change(gradient) }
        }
      }
    }
  }
}
