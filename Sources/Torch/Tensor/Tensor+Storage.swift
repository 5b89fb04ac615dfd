internal import CTorch

extension Tensor {
  /// Gives the storage `byteCount` bytes, 0 to give its memory back; what is in them is undefined.
  ///
  /// All tensors on the storage stay what they are, saved ones of a graph included, but none may be computed with before
  /// the bytes are there again. Nothing counts this as a change of their numbers.
  package func resizeStorage(to byteCount: Int) {
    if !ct_tensor_resize_storage(handle, byteCount) { Failure("resizeStorage").argument("self", self).record() }
  }

  /// Runs `body` so that the tensors it makes are of use everywhere, also when the caller is in inference mode or records.
  package static func outsideModes<Result>(_ body: () throws -> Result) rethrows -> Result {
    let guardian = ct_inference_enter(false)
    defer { ct_inference_exit(guardian) }
    return try withoutGradients(body)
  }
}

extension TorchRuntime {
  /// Returns memory of freed tensors that the process keeps for later to the system.
  package static func releaseFreedMemory() { ct_release_freed_memory() }
}
