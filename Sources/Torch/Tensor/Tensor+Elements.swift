internal import CTorch

extension Tensor {
  /// The single element as a number.
  ///
  /// - Throws: ``TorchError`` for more or fewer elements than one, or when the tensor is the result of a failed operation.
  public func scalar() throws(TorchError) -> Double {
    var value = 0.0
    let succeeded = ct_tensor_item(handle, &value)
    if !succeeded { throw Failure("scalar").argument("self", self).error() }
    return value
  }

  /// The single element as a whole number.
  public func integer() throws(TorchError) -> Int {
    var value = 0
    let succeeded = ct_tensor_item_int(handle, &value)
    if !succeeded { throw Failure("integer").argument("self", self).error() }
    return value
  }

  /// A copy of the elements in row-major order.
  ///
  /// - Throws: ``TorchError`` when the type is another one, or when the tensor is the result of a failed operation.
  public func array<Element: TensorElement>(as type: Element.Type = Element.self) throws(TorchError) -> [Element] {
    guard !isPoisoned, dtype == Element.dtype else {
      throw Failure("array", message: "the elements are \(dtype), not \(Element.dtype); convert with `to(_:)` first")
        .argument("self", self).error()
    }
    let source = try elementsOnCPU()
    let count = source.count
    guard count > 0 else { return [] }
    guard let address = ct_tensor_data(source.handle) else { throw Failure("array").argument("self", self).error() }
    let array = Array(UnsafeBufferPointer(start: address.assumingMemoryBound(to: Element.self), count: count))
    withExtendedLifetime(source) {}
    return array
  }

  private func elementsOnCPU() throws(TorchError) -> Tensor {
    if device == .cpu { return withoutGradients { detached().contiguous() } }
    do {
      return try withErrorScope { withoutGradients { detached().to(.cpu).contiguous() } }
    } catch {
      throw error as? TorchError ?? Failure("array", message: "\(error)").argument("self", self).error()
    }
  }

  /// Calls `body` with the bytes of a contiguous CPU tensor.
  package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    precondition(isContiguous && device == .cpu, "a contiguous tensor on the CPU")
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(start: count == 0 ? nil : ct_tensor_data(handle), count: byteCount))
  }

  /// Calls `body` with the writable bytes of a contiguous CPU tensor.
  package func withUnsafeMutableBytes<Result>(
    _ body: (UnsafeMutableRawBufferPointer) throws -> Result
  ) rethrows -> Result {
    precondition(isContiguous && device == .cpu, "a contiguous tensor on the CPU")
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeMutableRawBufferPointer(start: count == 0 ? nil : ct_tensor_data(handle), count: byteCount))
  }

  /// Calls `body` with the bytes of the whole storage of a CPU tensor.
  package func withUnsafeStorageBytes<Result>(_ body: (UnsafeRawBufferPointer) throws -> Result) rethrows -> Result {
    defer { withExtendedLifetime(self) {} }
    return try body(UnsafeRawBufferPointer(start: ct_tensor_storage_address(handle), count: storageByteCount))
  }
}
