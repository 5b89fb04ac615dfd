internal import CTorch

/// How the values of all ranks become one.
public enum ReduceOperation: Sendable, Hashable {
  case sum, mean, product, minimum, maximum

  var raw: Int32 {
    let value =
      switch self {
      case .sum: ct_reduce_sum
      case .mean: ct_reduce_mean
      case .product: ct_reduce_product
      case .minimum: ct_reduce_minimum
      case .maximum: ct_reduce_maximum
      }
    return Int32(value)
  }
}
