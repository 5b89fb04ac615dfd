internal import Torch

/// Which libtorch and which compiler.
enum SoftwareCheck {
  static var findings: [Finding] {
    [
      .ok("libtorch", TorchRuntime.version + (path.map { " (\($0))" } ?? "")),
      .ok("Swift", "compiled with Swift \(swift)"),
    ]
  }

  /// The file that was loaded.
  private static var path: String? {
    for line in SystemText.lines("/proc/self/maps") where line.hasSuffix("/libtorch_cpu.so") {
      return line.firstIndex(of: "/").map { String(line[$0...]) }
    }
    return nil
  }

  private static var swift: String {
    #if compiler(>=6.4)
      "6.4 or newer"
    #elseif compiler(>=6.3)
      "6.3"
    #elseif compiler(>=6.2)
      "6.2"
    #else
      "6.1"
    #endif
  }
}
