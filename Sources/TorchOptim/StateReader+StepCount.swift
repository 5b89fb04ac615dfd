import Torch

extension StateReader {
  /// Reads the number of steps a parameter has taken, the entry `step`; 0, and a problem, when there is none.
  ///
  /// PyTorch keeps the count as a tensor of one element; before 1.12 it was a number.
  public mutating func stepCount() -> Int {
    let count: Double? =
      switch entries["step"] {
      case .tensor(let tensor)?: try? tensor.scalar()
      case let value?: value.doubleValue
      case nil: nil
      }
    guard let count, count >= 0, let whole = Int(exactly: count) else {
      report("'step' should be a whole number, found \(Self.describe(entries["step"]))")
      return 0
    }
    return whole
  }
}
