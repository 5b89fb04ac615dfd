/// A size for each spatial dimension: one number for all of them, or an array with one for each.
public protocol SpatialSize {
  /// The sizes for `dimensions` spatial dimensions.
  func sizes(_ dimensions: Int) -> [Int]
}

extension Int: SpatialSize {
  /// This number for each dimension.
  public func sizes(_ dimensions: Int) -> [Int] { Array(repeating: self, count: dimensions) }
}

extension Array: SpatialSize where Element == Int {
  /// The array itself; libtorch refuses one of the wrong length.
  public func sizes(_ dimensions: Int) -> [Int] { self }
}

extension [Int] {
  /// `3` where all sizes are equal, `[3, 5]` otherwise.
  var briefly: String {
    if let first, allSatisfy({ $0 == first }) { return String(first) }
    return description
  }
}
