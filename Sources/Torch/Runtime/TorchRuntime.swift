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

  /// Keeps freed memory in the process for the next tensors, up to `bytes` (at most 2 GB), instead of returning it to
  /// the system after every step and having it cleared and mapped again in the next.
  ///
  /// Settings of malloc in the environment (`GLIBC_TUNABLES`, `MALLOC_TRIM_THRESHOLD_`) win.
  ///
  /// - Parameter largestBlock: blocks with more bytes are still returned; at most 32 MB. What is kept also has holes that
  ///   large blocks do not fit into, so less is kept in vain when they are returned.
  public static func keepFreedMemory(_ bytes: Int, inBlocksUpTo largestBlock: Int = 32 << 20) {
    ct_keep_freed_memory(bytes, largestBlock)
  }

  /// CUDA devices that libtorch can use; 0 for a CPU build.
  public static var cudaDeviceCount: Int { Int(ct_cuda_device_count()) }

  /// Whether libtorch is a build for CUDA, on a machine with or without GPUs.
  public static var isCUDABuild: Bool { ct_cuda_build() }

  /// Seeds the default generators of all devices, as `torch.manual_seed` does.
  public static func manualSeed(_ seed: UInt64) { ct_manual_seed(seed) }
}
