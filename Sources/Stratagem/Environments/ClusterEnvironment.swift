/// What is known about the place of this process in a run, and who started the processes.
///
/// An environment is a value made from a dictionary of environment variables; it reads nothing else, so every rule
/// can be tested for any cluster on any machine. Conform a type of your own for a cluster that the library does not
/// know, and give it to the strategy or, as a plugin, to the trainer.
public protocol ClusterEnvironment: Sendable {
  /// The name by which messages call the environment, such as `"torchrun"`.
  var name: String { get }

  /// Whether the processes of the run are started by someone else, so that nothing is to be launched.
  var createsProcessesExternally: Bool { get }

  /// The address of the machine on which rank 0 runs.
  var mainAddress: String { get }

  /// The port of the store that rank 0 opens, or `nil` when rank 0 is free to take any.
  var mainPort: Int? { get }

  /// The number of processes in the run, over all nodes.
  var worldSize: Int { get }

  /// The number of this process among all, `0 ..< worldSize`.
  var globalRank: Int { get }

  /// The number of this process on its node.
  var localRank: Int { get }

  /// The number of this node among all nodes.
  var nodeRank: Int { get }

  /// The number of processes on this node, or `nil` when the environment does not tell.
  var localWorldSize: Int? { get }

  /// What the user should know although the run can start.
  var warnings: [String] { get }

  /// Checks that the processes that exist, or will, are the ones the trainer was asked for.
  ///
  /// - Parameters:
  ///   - numDevices: the processes per node, one for each device as a rule.
  ///   - numNodes: the nodes of the run.
  /// - Throws: `ConfigurationError`, naming the values and the line to change.
  func validate(numDevices: Int, numNodes: Int) throws(ConfigurationError)
}

extension ClusterEnvironment {
  public var localWorldSize: Int? { nil }
  public var warnings: [String] { [] }

  /// The layout of the trainer in words, such as `the trainer asks for 2 processes on each of 3 nodes`.
  func asked(_ numDevices: Int, _ numNodes: Int) -> String {
    "the trainer asks for \(numDevices) \(numDevices == 1 ? "process" : "processes") on "
      + (numNodes == 1 ? "one node" : "each of \(numNodes) nodes")
  }
}
