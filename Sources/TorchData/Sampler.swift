/// Decides which samples an epoch uses, and in which order.
///
/// The indices of an epoch depend on nothing but the sampler and the number of the epoch, so that a run can be
/// continued in the middle and every rank draws the same.
public protocol Sampler {
  /// The number of indices in an epoch.
  var count: Int { get }

  /// The indices of an epoch, each that of a sample of the dataset.
  func indices(epoch: Int) throws -> [Int]

  /// Which part of the samples this sampler draws; `nil`, the default, for all of them.
  var shard: Shard? { get }
}

extension Sampler {
  public var shard: Shard? { nil }
}
