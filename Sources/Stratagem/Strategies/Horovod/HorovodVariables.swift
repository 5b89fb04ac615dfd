/// The environment variables by which Horovod is tuned, as far as they mean something here.
///
/// `HOROVOD_FUSION_THRESHOLD` (bytes), `HOROVOD_STALL_CHECK_TIME_SECONDS`, `HOROVOD_STALL_SHUTDOWN_TIME_SECONDS` (0 for
/// never), `HOROVOD_STALL_CHECK_DISABLE` and `HOROVOD_HIERARCHICAL_ALLREDUCE`. Options given in the program win.
struct HorovodVariables: Equatable {
  /// 128 MiB, as Horovod has it.
  static let usualThreshold = 128 << 20

  var fusionThreshold = usualThreshold
  var stallNotice = 60.0
  /// Seconds after which a stalled collective ends the run; nil for the usual time limit.
  var stallShutdown: Double?
  var isHierarchical = false
  var problems: [ConfigurationError.Problem] = []

  init(_ variables: [String: String]) {
    func read(_ name: String) -> Double? {
      guard let text = variables[name], !text.isEmpty else { return nil }
      if let value = Double(text), value >= 0, value.isFinite { return value }
      problems.append(
        .init(
          name, "environment variable \(name) is '\(text)', which is no number of 0 or more",
          suggestion: "unset it, or give it a number"))
      return nil
    }
    if let bytes = read("HOROVOD_FUSION_THRESHOLD") { fusionThreshold = Int(min(bytes, 1e15)) }
    if let seconds = read("HOROVOD_STALL_CHECK_TIME_SECONDS"), seconds > 0 { stallNotice = seconds }
    if let seconds = read("HOROVOD_STALL_SHUTDOWN_TIME_SECONDS"), seconds > 0 { stallShutdown = seconds }
    if let flag = read("HOROVOD_STALL_CHECK_DISABLE"), flag != 0 { stallNotice = .infinity }
    if let flag = read("HOROVOD_HIERARCHICAL_ALLREDUCE"), flag != 0 { isHierarchical = true }
  }
}
