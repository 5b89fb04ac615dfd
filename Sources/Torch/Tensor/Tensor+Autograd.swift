internal import CTorch

extension Tensor {
  /// Whether operations on this tensor are recorded for ``backward(gradient:retainGraph:createGraph:)``.
  public var requiresGradient: Bool {
    get { ct_tensor_requires_grad(handle) }
    set {
      if !ct_tensor_set_requires_grad(handle, newValue) { Failure("requiresGradient").argument("self", self).record() }
    }
  }

  /// The accumulated gradient of a leaf.
  public var gradient: Tensor? {
    get { ct_tensor_grad(handle).map { Tensor(owning: $0) } }
    set {
      let succeeded = ct_tensor_set_grad(handle, newValue?.handle)
      withExtendedLifetime(newValue) {}
      if !succeeded { Failure("gradient").argument("self", self).record() }
    }
  }

  package var hasGradient: Bool { ct_tensor_has_grad(handle) }

  /// True for a tensor that is not the result of a recorded operation.
  public var isLeaf: Bool { ct_tensor_is_leaf(handle) }

  /// PyTorch's name of the operation that made this tensor, such as `AddBackward0`; nil for a leaf.
  var gradientFunctionName: String? {
    let capacity = 256
    return withUnsafeTemporaryAllocation(of: CChar.self, capacity: capacity) { buffer in
      guard ct_tensor_grad_fn_name(handle, buffer.baseAddress, capacity) else { return nil }
      return String(cString: buffer.baseAddress!)
    }
  }

  /// Adds d(self)/d(leaf) to the gradient of every leaf that requires one.
  ///
  /// - Parameters:
  ///   - gradient: the gradient of this tensor, of its shape; may be left out for one element.
  ///   - retainGraph: keep the graph for another call.
  ///   - createGraph: record the computation of the gradients themselves.
  public func backward(gradient: Tensor? = nil, retainGraph: Bool = false, createGraph: Bool = false) {
    let succeeded = ct_backward(handle, gradient?.handle, retainGraph || createGraph, createGraph)
    withExtendedLifetime(gradient) {}
    if !succeeded { Failure("backward").argument("self", self).record() }
  }

  /// Backward from several tensors at once, each with the gradient that arrives at it.
  package static func backward(from tensors: [Tensor], gradients: [Tensor]) {
    let tensorHandles = handles(of: tensors)
    let gradientHandles = handles(of: gradients)
    let succeeded = ct_backward_all(tensorHandles, gradientHandles, tensors.count)
    withExtendedLifetime((tensors, gradients)) {}
    if !succeeded { Failure("backward").argument("tensors", tensors).record() }
  }

  /// Keeps the gradient of a tensor that is not a leaf.
  public func retainGradient() {
    if !ct_tensor_retain_grad(handle) { Failure("retainGradient").argument("self", self).record() }
  }

  /// A leaf on the same storage that shares nothing with the autograd history.
  package func variableData() -> Tensor {
    guard let data = ct_tensor_variable_data(handle) else { return Failure("variableData").record() }
    return Tensor(owning: data)
  }

  /// Some rows of the first dimension, on the same storage; recorded only when this tensor requires its gradient.
  package func rows(from start: Int, count: Int) -> Tensor {
    guard let handle = ct_tensor_rows(handle, start, count) else {
      return Failure("rows").argument("self", self).record()
    }
    return Tensor(owning: handle)
  }

  /// Lets this tensor refer to the numbers of `source`, of any type and device; its identity stays.
  package func replaceData(with source: Tensor) {
    let succeeded = ct_tensor_set_data(handle, source.handle)
    withExtendedLifetime(source) {}
    if !succeeded { Failure("replaceData").argument("self", self).argument("source", source).record() }
  }

  /// Runs `body` after each accumulation into the gradient of this leaf, on the thread that runs backward.
  @discardableResult
  public func onGradientAccumulated(_ body: @escaping (Tensor) -> Void) -> GradientHook {
    let key = ct_add_post_accumulate_hook(
      handle,
      { context, tensor in
        guard let context, let tensor else { return }
        Unmanaged<Box<(Tensor) -> Void>>.fromOpaque(context).takeUnretainedValue().value(Tensor(borrowing: tensor))
      }, Unmanaged.passRetained(Box(body)).toOpaque(), releaseBox)
    if key < 0 { Failure("onGradientAccumulated").argument("self", self).record() }
    return GradientHook(tensor: self, key: key, kind: .afterAccumulation)
  }

  /// Runs `body` on each gradient that arrives at this tensor; what it returns takes the gradient's place.
  @discardableResult
  public func onGradient(_ body: @escaping (Tensor) -> Tensor?) -> GradientHook {
    let key = ct_add_gradient_hook(
      handle,
      { context, tensor in
        guard let context, let tensor else { return nil }
        let transform = Unmanaged<Box<(Tensor) -> Tensor?>>.fromOpaque(context).takeUnretainedValue().value
        guard let replacement = transform(Tensor(borrowing: tensor)) else { return nil }
        defer { withExtendedLifetime(replacement) {} }
        return ct_tensor_retain(replacement.handle)
      }, Unmanaged.passRetained(Box(body)).toOpaque(), releaseBox)
    if key < 0 { Failure("onGradient").argument("self", self).record() }
    return GradientHook(tensor: self, key: key, kind: .arrival)
  }

  /// The gradients of the sum of `outputs` with respect to `inputs`, without touching any `gradient`.
  public static func gradients(
    of outputs: [Tensor], withRespectTo inputs: [Tensor], retainGraph: Bool = false, createGraph: Bool = false
  ) -> [Tensor] {
    var results = [OpaquePointer?](repeating: nil, count: inputs.count)
    let outputHandles = handles(of: outputs)
    let inputHandles = handles(of: inputs)
    let succeeded = ct_gradients(
      outputHandles, outputs.count, inputHandles, inputs.count, nil, retainGraph || createGraph, createGraph, false,
      &results)
    withExtendedLifetime((outputs, inputs)) {}
    if !succeeded { Failure("gradients").argument("outputs", outputs).argument("inputs", inputs).record() }
    return results.map { Tensor(owning: $0) }
  }
}

final class Box<Value> {
  let value: Value
  init(_ value: Value) { self.value = value }
}

private func releaseBox(_ context: UnsafeMutableRawPointer?) {
  if let context { Unmanaged<AnyObject>.fromOpaque(context).release() }
}
