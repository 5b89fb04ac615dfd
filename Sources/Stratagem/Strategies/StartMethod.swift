/// How the processes of a run on one or more nodes are started.
public enum StartMethod: String, Sendable, Hashable, CaseIterable {
  /// The program is run again for each further process; this process is rank 0. See ``RelaunchLauncher``.
  case relaunch
  /// Each call runs in processes that run the program again up to it; this process is no rank. See ``SpawnLauncher``.
  case spawn
  /// Each call runs in copies of this process, which is no rank. See ``ForkLauncher``.
  case fork
}
