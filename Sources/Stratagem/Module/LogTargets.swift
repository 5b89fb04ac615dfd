/// When a logged value is written: as it is for every batch, or as the mean over the epoch.
public struct LogTargets: OptionSet, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// A row for every batch.
  public static let step = LogTargets(rawValue: 1)
  /// The mean over the epoch, weighted by the samples of each batch.
  public static let epoch = LogTargets(rawValue: 2)
}
