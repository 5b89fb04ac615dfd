internal import CTorch

/// How the values of all ranks become one.
///
/// The bitwise ones are for tensors of whole numbers; c10d refuses them for floating-point numbers.
public enum ReduceOperation: Sendable, Hashable, CaseIterable {
  case sum, mean, product, minimum, maximum
  case bitwiseAnd, bitwiseOr, bitwiseXor

  /// The number of `c10d::ReduceOp::RedOpType`.
  var raw: Int32 {
    switch self {
    case .sum: Int32(ct_reduce_sum)
    case .mean: Int32(ct_reduce_mean)
    case .product: Int32(ct_reduce_product)
    case .minimum: Int32(ct_reduce_minimum)
    case .maximum: Int32(ct_reduce_maximum)
    case .bitwiseAnd: 5
    case .bitwiseOr: 6
    case .bitwiseXor: 7
    }
  }
}
