internal import CTorch

/// What a thread computes in: automatic mixed precision and the default type.
package struct ForwardModes {
  private let defaultType: DType
  private let autocast: [(device: Int32, isEnabled: Bool, dtype: Int32)]

  /// The modes of the calling thread as they are now.
  package init() {
    defaultType = .default
    autocast = [Device.Kind.cpu, .cuda].map { kind in
      let device = Int32(kind.rawValue)
      return (device, ct_autocast_enabled(device), Int32(ct_autocast_dtype(device)))
    }
  }

  /// Runs `body` in these modes.
  package func apply<Result>(_ body: () throws -> Result) rethrows -> Result {
    let before = ForwardModes()
    set()
    ct_autocast_nesting(1)
    defer {
      ct_autocast_nesting(-1)
      before.set()
    }
    return try body()
  }

  private func set() {
    ct_set_default_dtype(defaultType.raw)
    for mode in autocast { ct_set_autocast(mode.device, mode.isEnabled, mode.dtype) }
  }
}

/// Runs `body`, in which automatic mixed precision converts weights anew each time, and keeps nothing for later.
package func withoutAutocastCache<Result>(_ body: () throws -> Result) rethrows -> Result {
  let before = ct_autocast_cache(false)
  defer { _ = ct_autocast_cache(before) }
  return try body()
}
