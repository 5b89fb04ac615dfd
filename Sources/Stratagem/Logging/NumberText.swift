import Glibc

/// Short texts of numbers for people; files get `MetricNumber.description`.
enum NumberText {
  /// Returns about four digits: `0.213`, `12.500`, `1234.5`, `1.2e-05`.
  static func metric(_ value: Double) -> String {
    if value.isNaN { return "nan" }
    switch abs(value) {
    case 0, 0.001..<1000: return formatted("%.3f", value)
    case 1000..<1_000_000: return formatted("%.1f", value)
    default: return formatted("%.3g", value)
    }
  }

  /// Returns a rate of iterations per second, `2134 it/s`, or its inverse when slow, `1.50 s/it`.
  static func rate(_ perSecond: Double, unit: String = "it/s", inverse: String = "s/it") -> String {
    guard perSecond > 0, perSecond < 1e12 else { return "? \(unit)" }
    switch perSecond {
    case 100...: return formatted("%.0f", perSecond) + " " + unit
    case 10..<100: return formatted("%.1f", perSecond) + " " + unit
    case 1..<10: return formatted("%.2f", perSecond) + " " + unit
    default: return formatted(perSecond < 0.1 ? "%.1f" : "%.2f", min(1 / perSecond, 1e12)) + " " + inverse
    }
  }

  /// Returns a time still to pass, rounded up to seconds: `0:02`, `12:05`, `1:05:09`, `2d 03:04:05`.
  static func remaining(_ seconds: Double) -> String {
    guard seconds >= 0, seconds < 1e9 else { return "?" }
    return clock(Int(seconds.rounded(.up)))
  }

  /// Returns a time that has passed: `0.42 s` below ten seconds, then `0:12`, `1:05:09`.
  static func elapsed(_ seconds: Double) -> String {
    guard seconds >= 0, seconds < 1e9 else { return "?" }
    return seconds < 9.995 ? formatted("%.2f", seconds) + " s" : clock(Int(seconds.rounded()))
  }

  private static func clock(_ seconds: Int) -> String {
    func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
    let (hours, minutes) = (seconds / 3600, seconds / 60 % 60)
    if hours == 0 { return "\(minutes):\(two(seconds % 60))" }
    let tail = ":\(two(minutes)):\(two(seconds % 60))"
    return hours < 24 ? "\(hours)\(tail)" : "\(hours / 24)d \(two(hours % 24))\(tail)"
  }

  /// Returns C's `printf` of one double; the result fits because the callers bound the magnitude for `%f`.
  private static func formatted(_ format: String, _ value: Double) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 48) { buffer in
      let count = withVaList([value]) { vsnprintf(buffer.baseAddress, buffer.count, format, $0) }
      let bytes = UnsafeRawBufferPointer(buffer).prefix(min(max(Int(count), 0), buffer.count - 1))
      return String(decoding: bytes, as: UTF8.self)
    }
  }
}
