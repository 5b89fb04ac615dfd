internal import CTorch
internal import Glibc

extension TorchRuntime {
  /// Runs `body` with deterministic algorithms only, in all threads; an operation that has none fails.
  ///
  /// When there are CUDA devices and nothing else was chosen, the environment variable `CUBLAS_WORKSPACE_CONFIG` is
  /// `:4096:8` meanwhile, which cuBLAS needs to be deterministic. See `torch.use_deterministic_algorithms`.
  ///
  /// - Parameter warnOnly: print a warning and go on where an operation has no deterministic algorithm.
  public static func withDeterministicAlgorithms<Result>(
    warnOnly: Bool = false, _ body: () throws -> Result
  ) rethrows -> Result {
    let before = (isOn: ct_deterministic(), warnOnly: ct_deterministic_warn_only())
    _ = ct_set_deterministic(true, warnOnly)
    let workspace = "CUBLAS_WORKSPACE_CONFIG"
    let isWorkspaceOurs = cudaDeviceCount > 0 && getenv(workspace) == nil
    if isWorkspaceOurs { setenv(workspace, ":4096:8", 1) }
    defer {
      _ = ct_set_deterministic(before.isOn, before.warnOnly)
      if isWorkspaceOurs { unsetenv(workspace) }
    }
    return try body()
  }

  /// Whether only deterministic algorithms may be used.
  public static var usesDeterministicAlgorithms: Bool { ct_deterministic() }

  /// Runs `body` so that a backward that computes something that is not a number fails and names the function it happened
  /// in, and a backward that fails prints where its forward was called. In all threads; slow.
  ///
  /// See `torch.autograd.detect_anomaly`.
  ///
  /// - Parameter checkNaN: false leaves out the search for NaN.
  public static func withAnomalyDetection<Result>(
    checkNaN: Bool = true, _ body: () throws -> Result
  ) rethrows -> Result {
    let before = (isOn: ct_anomaly_mode(), checksNaN: ct_anomaly_checks_nan())
    _ = ct_set_anomaly_mode(true, checkNaN)
    defer { _ = ct_set_anomaly_mode(before.isOn, before.checksNaN) }
    return try body()
  }

  /// Whether backward looks for numbers that are not a number.
  public static var detectsAnomalies: Bool { ct_anomaly_mode() }
}
