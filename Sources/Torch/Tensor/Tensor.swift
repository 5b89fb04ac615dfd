internal import CTorch

/// A multi-dimensional array of numbers: a reference to a libtorch tensor.
///
/// Copying the reference does not copy the numbers; `clone()` does. Methods named by a verb (`add`, `fill`) change the
/// tensor in place, those named by a participle or noun (`adding`, `reshaped`, `sum`) return a new one.
///
/// Operations do not throw. One that fails records a ``TorchError`` in the innermost ``withErrorScope(_:)`` of the
/// thread and returns a poisoned tensor, on which further operations do nothing; outside a scope it traps with the
/// operation, the shapes and the caller's source line.
///
/// A tensor is not `Sendable`: two threads must not change the same one. Move it with `sending` or ``UnsafeTransfer``.
public final class Tensor {
  /// The address of the `TensorImpl`, owned by this object. Keep the tensor alive while it is used.
  package let handle: OpaquePointer

  /// Takes over a reference; a missing one becomes a poisoned tensor.
  package init(owning handle: OpaquePointer?) {
    self.handle = handle ?? ct_tensor_undefined()
  }

  /// Adds a reference to a tensor that somebody else owns.
  package convenience init(borrowing handle: OpaquePointer) {
    self.init(owning: ct_tensor_retain(handle))
  }

  deinit { ct_tensor_release(handle) }

  /// The sizes of the dimensions.
  public var shape: [Int] {
    let ndim = self.ndim
    return [Int](unsafeUninitializedCapacity: ndim) { buffer, count in
      if let base = buffer.baseAddress { ct_tensor_shape(handle, base) }
      count = ndim
    }
  }

  /// How many elements to skip to reach the next one along each dimension.
  public var strides: [Int] {
    let ndim = self.ndim
    return [Int](unsafeUninitializedCapacity: ndim) { buffer, count in
      if let base = buffer.baseAddress { ct_tensor_strides(handle, base) }
      count = ndim
    }
  }

  /// The number of dimensions; 0 for a single number.
  public var ndim: Int { ct_tensor_ndim(handle) }

  /// The number of elements.
  public var count: Int { ct_tensor_count(handle) }

  /// The size of dimension `dim`; negative values count from the end.
  public func size(_ dim: Int) -> Int {
    let size = ct_tensor_size(handle, dim)
    precondition(size >= 0, "dimension \(dim) of a tensor of shape \(shape)")
    return size
  }

  public var dtype: DType { DType(rawValue: Int8(truncatingIfNeeded: ct_tensor_dtype(handle))) ?? .undefined }

  public var device: Device { Device(raw: ct_tensor_device(handle)) }

  public var isContiguous: Bool { ct_tensor_is_contiguous(handle) }

  /// True for the result of a failed operation.
  public var isPoisoned: Bool { !ct_tensor_is_defined(handle) }

  /// The bytes that the elements take.
  public var byteCount: Int { count * ct_tensor_element_size(handle) }

  /// Position of the first element in the storage, in elements.
  package var storageOffset: Int { ct_tensor_storage_offset(handle) }

  package var storageByteCount: Int { ct_tensor_storage_bytes(handle) }

  /// Address of the storage; equal for tensors that share it.
  package var storageIdentifier: UInt { UInt(bitPattern: ct_tensor_storage_address(handle)) }
}
