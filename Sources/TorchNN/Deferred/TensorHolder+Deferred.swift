public import Torch

extension TensorHolder {
  /// Whether the tensor has no memory yet, as ``withDeferredInitialization(_:)`` made it.
  ///
  /// Assigning a tensor ends it.
  public final var isDeferred: Bool { tape != nil }

  /// Computes the initial values, in the type of the held tensor, on the CPU. The holder stays deferred.
  ///
  /// - Throws: ``DeferredInitializationError`` when the tensor is not deferred, or was changed in place since.
  public final func initialTensor() throws(DeferredInitializationError) -> Tensor {
    guard let tape, let storage else {
      throw failure("it has its values already")
    }
    let values: Tensor
    do {
      values = try tape.replay(storage)
    } catch {
      throw failure(error.message)
    }
    guard values.shape == storage.shape else {
      throw failure("it became a tensor of shape \(values.shape); assign it whole")
    }
    return withoutGradients {
      let converted = values.dtype == storage.dtype ? values : values.to(storage.dtype)
      // What is a part of something larger must not keep the whole.
      return converted.storageByteCount > converted.byteCount ? converted.clone() : converted
    }
  }

  private final func failure(_ reason: String) -> DeferredInitializationError {
    DeferredInitializationError(problems: [.init(parameter: nil, shape: storage?.shape ?? [], reason: reason)])
  }
}
