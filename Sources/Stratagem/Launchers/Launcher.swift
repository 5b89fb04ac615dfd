/// How the processes of a run come to exist.
///
/// The strategy calls `launch` in every process before it sets up communication. In the main process the launcher
/// starts the workers; in a worker it only checks that the worker is the one it was started to be.
open class Launcher {
  /// Makes a launcher.
  public init() {}

  /// Whether the processes are started by someone else (torchrun, a cluster), so that `launch` starts none.
  open var processesAreCreatedExternally: Bool { false }

  /// Whether all processes of the run have been started.
  open var isLaunched: Bool { true }

  /// What watches over the workers; `nil` in a worker and where nothing was started.
  open var supervisor: Supervisor? { nil }

  /// Makes the processes of the run exist.
  ///
  /// - Parameters:
  ///   - mainAddress: the address under which workers reach the store of rank 0.
  ///   - port: the port on which that store listens already.
  ///   - additionalEnvironment: variables for the workers, such as decisions that only one process may take.
  /// - Throws: `LaunchError`.
  open func launch(
    mainAddress: String = "127.0.0.1", port: Int, additionalEnvironment: [String: String] = [:]
  ) throws(LaunchError) {}
}
