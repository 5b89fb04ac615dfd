internal import CTorch

/// A source of random numbers on the CPU: the Mersenne twister of PyTorch's CPU generator.
public final class Generator {
  let handle: OpaquePointer

  init(owning handle: OpaquePointer) { self.handle = handle }

  public convenience init(seed: UInt64) { self.init(owning: ct_generator_create(seed)) }

  deinit { ct_generator_release(handle) }

  /// The generator that operations use when none is given.
  public static var `default`: Generator { Generator(owning: ct_generator_default()) }

  /// The seed it was last given.
  public var seed: UInt64 { ct_generator_seed(handle) }

  public func manualSeed(_ seed: UInt64) { ct_generator_set_seed(handle, seed) }

  /// The whole state, as a uint8 tensor that PyTorch's `Generator.set_state` takes too.
  public var state: Tensor {
    get {
      guard let state = ct_generator_state(handle) else { return Failure("Generator.state").record() }
      return Tensor(owning: state)
    }
    set {
      // libtorch reads beyond the end of a view with a storage offset.
      let state = newValue.clone()
      let succeeded = ct_generator_set_state(handle, state.handle)
      withExtendedLifetime(state) {}
      if !succeeded { Failure("Generator.state").argument("state", newValue).record() }
    }
  }
}
