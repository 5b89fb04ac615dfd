/// The learning-rate schedules that `--schedule` knows.
public enum ScheduleKind: String, Sendable, Hashable, CaseIterable {
  /// A constant learning rate.
  case none
  /// Half the learning rate after each epoch.
  case step
  /// Half a cosine from the learning rate down to zero, over all optimizer steps of the run.
  case cosine
}
