/// Recognises who started this process.
public enum ClusterEnvironments {
  /// Returns the environment that the variables describe.
  ///
  /// Only variables are looked at: nothing is initialised, asked over the network or imported to find out.
  ///
  /// - Parameters:
  ///   - environment: the environment variables of the process.
  ///   - numDevices: the processes per node that Stratagem would start itself.
  ///   - numNodes: the nodes of the run that Stratagem would start itself.
  /// - Throws: `ClusterEnvironmentError` for a variable that is missing, not a number or out of range.
  public static func detect(
    _ environment: [String: String], numDevices: Int = 1, numNodes: Int = 1
  ) throws(ClusterEnvironmentError) -> any ClusterEnvironment {
    if environment[WorkerVariable.supervisor] == nil, TorchElasticEnvironment.describes(environment) {
      return try TorchElasticEnvironment(environment)
    }
    return try LightningEnvironment(environment, numDevices: numDevices, numNodes: numNodes)
  }

  /// The environment variables of this process as they are now.
  public static var processVariables: [String: String] { ProcessVariables.current }
}
