/// Recognises who started this process.
public enum ClusterEnvironments {
  /// Returns the environment that the variables describe.
  ///
  /// The first of these that recognises its variables: a worker of our own, Bagua's launcher, horovodrun, torchrun, SLURM,
  /// LSF, Kubeflow, MPI. When none does, this process was started by hand and starts the others. On TPU cores the runtime
  /// of XLA decides.
  ///
  /// Only variables are looked at: nothing is initialised, asked over the network or imported to find out.
  ///
  /// - Parameters:
  ///   - environment: the environment variables of the process.
  ///   - accelerator: the hardware of the run, when it is known.
  ///   - numDevices: the processes per node that Stratagem would start itself.
  ///   - numNodes: the nodes of the run that Stratagem would start itself.
  /// - Throws: `ConfigurationError` for variables that are missing, not a number or out of range.
  public static func detect(
    _ environment: [String: String], accelerator: AcceleratorKind? = nil, numDevices: Int = 1, numNodes: Int = 1
  ) throws(ConfigurationError) -> any ClusterEnvironment {
    if accelerator == .tpu { return try XLAEnvironment(environment, numDevices: numDevices, numNodes: numNodes) }
    if environment[WorkerVariable.supervisor] == nil {
      if BaguaEnvironment.describes(environment) { return try BaguaEnvironment(environment) }
      if HorovodEnvironment.describes(environment) { return try HorovodEnvironment(environment) }
      if TorchElasticEnvironment.describes(environment) { return try TorchElasticEnvironment(environment) }
      if SLURMEnvironment.describes(environment) { return try SLURMEnvironment(environment) }
      if LSFEnvironment.describes(environment) { return try LSFEnvironment(environment) }
      if KubeflowEnvironment.describes(environment) { return try KubeflowEnvironment(environment) }
      if MPIEnvironment.describes(environment) { return try MPIEnvironment(environment) }
    }
    return try LightningEnvironment(environment, numDevices: numDevices, numNodes: numNodes)
  }

  /// The environment variables of this process as they are now.
  public static var processVariables: [String: String] { ProcessVariables.current }
}
