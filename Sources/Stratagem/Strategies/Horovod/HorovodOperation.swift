/// How the tensors of several ranks become one.
public enum HorovodOperation: String, Sendable, Hashable, CaseIterable {
  /// The mean over the ranks; a rank that has joined counts as zeros.
  case average
  /// The sum over the ranks.
  case sum
  /// Sum where the ranks disagree, mean where they agree; see ``Adasum``. Needs a power of two as the number of ranks.
  case adasum
}
