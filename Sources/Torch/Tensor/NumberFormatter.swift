internal import Glibc

/// Chooses one form for all numbers of a printed tensor, as PyTorch does: whole, fixed point or scientific.
struct NumberFormatter {
  private enum Form { case boolean, integer, whole, fixed, scientific }

  private static let precision = 4
  private let form: Form
  /// Characters of the longest number.
  let width: Int

  init(_ values: [Double], dtype: DType) {
    let form = NumberFormatter.form(of: values, dtype: dtype)
    self.form = form
    width = values.map { NumberFormatter.text($0, form).count }.max() ?? 1
  }

  func text(_ value: Double) -> String {
    let text = NumberFormatter.text(value, form)
    return String(repeating: " ", count: max(0, width - text.count)) + text
  }

  private static func form(of values: [Double], dtype: DType) -> Form {
    if dtype == .bool { return .boolean }
    if !dtype.isFloatingPoint { return .integer }
    let magnitudes = values.filter { $0.isFinite && $0 != 0 }.map(abs)
    guard let largest = magnitudes.max(), let smallest = magnitudes.min() else { return .whole }
    if values.allSatisfy({ !$0.isFinite || $0 == $0.rounded(.up) }) {
      return largest / smallest > 1000 || largest > 1e8 ? .scientific : .whole
    }
    return largest / smallest > 1000 || largest > 1e8 || smallest < 1e-4 ? .scientific : .fixed
  }

  private static func text(_ value: Double, _ form: Form) -> String {
    switch form {
    case .boolean: return value != 0 ? "True" : "False"
    case .integer: return String(Int(value))
    case .whole: return value.isFinite ? printed("%.0f", value) + "." : special(value)
    case .fixed: return value.isFinite ? printed("%.\(precision)f", value) : special(value)
    case .scientific: return value.isFinite ? printed("%.\(precision)e", value) : special(value)
    }
  }

  private static func special(_ value: Double) -> String {
    value.isNaN ? "nan" : value > 0 ? "inf" : "-inf"
  }

  private static func printed(_ format: String, _ value: Double) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { buffer in
      withVaList([value]) { _ = vsnprintf(buffer.baseAddress, buffer.count, format, $0) }
      return String(cString: buffer.baseAddress!)
    }
  }
}
