internal import Stratagem
internal import Torch

/// Processors and the threads that compute on them.
enum ProcessorCheck {
  static func findings(_ environment: [String: String]) -> [Finding] {
    let count = HardwareInventory.detect().cpuCount
    return [processors(count), threads(count, environment["OMP_NUM_THREADS"])]
  }

  private static func processors(_ count: Int) -> Finding {
    let model =
      SystemText.lines("/proc/cpuinfo").first { $0.hasPrefix("model name") }?
      .split(separator: ":", maxSplits: 1).last.map { ", " + $0.trimmingPrefix(while: \.isWhitespace) } ?? ""
    let noun = count == 1 ? "core" : "cores"
    if let share, share < Double(count) {
      return .warning(
        "processors", "\(count) \(noun)\(model), of which this container may use \(share)",
        "set OMP_NUM_THREADS and the number of processes to no more than that together")
    }
    return .ok("processors", "\(count) \(noun)\(model)")
  }

  /// The processors that the control group allows; nil without a limit.
  private static var share: Double? {
    let parts = SystemText.read("/sys/fs/cgroup/cpu.max")?.split { $0.isWhitespace } ?? []
    guard parts.count == 2, let quota = Double(parts[0]), let period = Double(parts[1]), period > 0 else { return nil }
    return quota / period
  }

  private static func threads(_ count: Int, _ variable: String?) -> Finding {
    let own = TorchRuntime.threadCount
    let message = "libtorch computes with \(own) \(own == 1 ? "thread" : "threads") in a process of its own"
    guard let variable, !variable.isEmpty else {
      return .ok("threads", message + "; OMP_NUM_THREADS is not set, so that processes share the cores")
    }
    // A list is for nested parallel regions.
    guard let number = Int(variable.split(separator: ",").first ?? ""), number > 0 else {
      return .problem(
        "threads", "OMP_NUM_THREADS is \"\(variable)\"", "unset it, or set it to a number from 1 to \(count)")
    }
    if number > count {
      return .warning(
        "threads", "OMP_NUM_THREADS is \(number), but there are \(count) cores",
        "unset it, or set it to \(count) or less")
    }
    return .ok("threads", message + "; OMP_NUM_THREADS is \(variable)")
  }
}
