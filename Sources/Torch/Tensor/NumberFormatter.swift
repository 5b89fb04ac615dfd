internal import Glibc

/// The numbers of a printed tensor, all in one form and padded to one width, as PyTorch's `_Formatter` does.
struct NumberFormatter {
  private enum Form { case whole, fixed, scientific }

  private static let precision = 4

  /// The numbers in order, padded on the left.
  let texts: [String]
  /// The width that lines are broken by.
  let width: Int

  private init(_ texts: [String], width: Int) {
    self.texts = texts.map { String(repeating: " ", count: max(0, width - $0.utf8.count)) + $0 }
    self.width = width
  }

  init(_ flags: [Bool]) {
    let texts = flags.map { $0 ? "True" : "False" }
    self.init(texts, width: NumberFormatter.width(of: texts))
  }

  init(_ integers: [Int]) {
    let texts = integers.map(String.init)
    self.init(texts, width: NumberFormatter.width(of: texts))
  }

  /// Only the finite numbers other than zero decide on form and width.
  init(_ values: [Double]) {
    let deciding = values.filter { $0.isFinite && $0 != 0 }
    let form = NumberFormatter.form(of: deciding)
    let width = NumberFormatter.width(of: deciding.map { NumberFormatter.text($0, form) })
    self.init(values.map { NumberFormatter.text($0, form) }, width: width)
  }

  private static func width(of texts: [String]) -> Int { texts.map(\.utf8.count).max() ?? 1 }

  private static func form(of values: [Double]) -> Form {
    let magnitudes = values.map(abs)
    guard let largest = magnitudes.max(), let smallest = magnitudes.min() else { return .whole }
    if largest / smallest > 1000 || largest > 1e8 { return .scientific }
    if values.allSatisfy({ $0 == $0.rounded(.up) }) { return .whole }
    return smallest < 1e-4 ? .scientific : .fixed
  }

  private static func text(_ value: Double, _ form: Form) -> String {
    guard value.isFinite else { return value.isNaN ? "nan" : value > 0 ? "inf" : "-inf" }
    switch form {
    case .whole: return printed("%.0f", value) + "."
    case .fixed: return printed("%.\(precision)f", value)
    case .scientific: return printed("%.\(precision)e", value)
    }
  }

  private static func printed(_ format: String, _ value: Double) -> String {
    withUnsafeTemporaryAllocation(of: CChar.self, capacity: 400) { buffer in
      withVaList([value]) { _ = vsnprintf(buffer.baseAddress, buffer.count, format, $0) }
      return String(cString: buffer.baseAddress!)
    }
  }
}
