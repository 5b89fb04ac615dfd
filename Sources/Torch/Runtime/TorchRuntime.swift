internal import CTorch

/// libtorch as a whole.
public enum TorchRuntime {
  /// Version that this library was compiled against, such as `2.13.0`.
  public static var version: String { String(cString: ct_version()) }

  /// Threads that one operation may use on the CPU, for operations started by this thread.
  public static var threadCount: Int {
    get { Int(ct_thread_count()) }
    set { ct_set_thread_count(Int32(newValue)) }
  }

  /// CUDA devices that libtorch can use; 0 for a CPU build.
  public static var cudaDeviceCount: Int { Int(ct_cuda_device_count()) }

  /// Seeds the default generators of all devices, as `torch.manual_seed` does.
  public static func manualSeed(_ seed: UInt64) { ct_manual_seed(seed) }

  /// Whether only deterministic algorithms may be used; an operation that has none fails (or warns).
  public static func useDeterministicAlgorithms(_ enabled: Bool, warnOnly: Bool = false) {
    _ = ct_set_deterministic(enabled, warnOnly)
  }

  /// Names the forward operation when backward meets NaN; slow. See `torch.autograd.detect_anomaly`.
  public static func detectAnomalies(_ enabled: Bool) { _ = ct_set_anomaly_mode(enabled) }

  /// Seconds for one `add` of `elements` float32 numbers, called from C++: the floor for the cost of the binding.
  package static func measureAddFromCxx(iterations: Int, elements: Int, recording: Bool) -> Double {
    recording ? ct_measure_add_grad(iterations, elements) : ct_measure_add(iterations, elements)
  }
}
