/// When a logged value is written: as it is for every batch, or reduced over the epoch.
///
/// When both are asked for, the names part as in Lightning: `loss_step` and `loss_epoch` in the loggers and the progress
/// bar; callbacks find the newest of them under `loss`, too.
public struct LogTargets: OptionSet, Hashable, Codable, Sendable {
  public let rawValue: Int
  public init(rawValue: Int) { self.rawValue = rawValue }

  /// A row for every batch. In an evaluation the rows are those of rank 0.
  public static let step = LogTargets(rawValue: 1)
  /// One value for the epoch, by default the mean weighted by the samples of each batch.
  public static let epoch = LogTargets(rawValue: 2)
}
