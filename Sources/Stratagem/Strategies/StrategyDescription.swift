public import Torch

/// What the plan of a run has to know of a strategy.
public struct StrategyDescription: Hashable, Sendable {
  /// How many processes a strategy runs in.
  public enum Processes: Hashable, Sendable {
    /// One process in all.
    case one
    /// One process for each device of each node.
    case onePerDevice
    /// One process for each node, driving all its devices.
    case onePerNode
  }

  /// The canonical name, such as `ddp`.
  public var name: String

  /// One line for lists.
  public var summary: String

  /// The kinds of hardware that the strategy runs on.
  public var accelerators: Set<AcceleratorKind>

  /// How many processes it runs in.
  public var processes: Processes

  /// The most devices it can use on a node, or `nil` for any number.
  public var maximumDevices: Int?

  /// Whether it needs a launcher to start its processes, unless they exist already.
  public var needsLauncher: Bool

  /// Whether the number of nodes is that of the processes that exist, and not an argument of the trainer.
  public var takesNodesFromLauncher: Bool

  /// The options that it was made with and that are not the default.
  public var options: [String: StrategyOption]

  /// What it was given at construction and the trainer must not be given as well.
  public var holdings: StrategyHoldings

  /// Whether gradients or results cross processes.
  public var isDistributed: Bool { processes != .one }

  /// Whether one process computes on all devices of its node.
  public var drivesSeveralDevices: Bool { processes != .onePerDevice && maximumDevices != 1 }

  /// Describes a strategy.
  ///
  /// - Parameter needsLauncher: When left out, a strategy of several processes needs one.
  public init(
    name: String, summary: String = "", accelerators: Set<AcceleratorKind> = Set(AcceleratorKind.allCases),
    processes: Processes, maximumDevices: Int? = nil, needsLauncher: Bool? = nil,
    takesNodesFromLauncher: Bool = false, options: [String: StrategyOption] = [:],
    holdings: StrategyHoldings = StrategyHoldings()
  ) {
    self.name = name
    self.summary = summary
    self.accelerators = accelerators
    self.processes = processes
    self.maximumDevices = maximumDevices
    self.needsLauncher = needsLauncher ?? (processes != .one)
    self.takesNodesFromLauncher = takesNodesFromLauncher
    self.options = options
    self.holdings = holdings
  }
}

/// A strategy object, as far as the plan of a run has to know it.
public protocol StrategyDescribing: AnyObject {
  /// What the strategy is and needs.
  var strategyDescription: StrategyDescription { get }

  /// The cluster environment that it was given at construction.
  var clusterEnvironment: (any ClusterEnvironment)? { get }
}

extension StrategyDescribing {
  public var clusterEnvironment: (any ClusterEnvironment)? { nil }
}

/// The parts that a strategy object was given at construction.
///
/// The trainer fills in what is missing; a part that both were given is a conflict.
public struct StrategyHoldings: Hashable, Sendable {
  /// The hardware of its accelerator object.
  public var accelerator: AcceleratorKind?

  /// Its devices on this node.
  public var devices: [Device]?

  /// The format of its precision plugin.
  public var precision: PrecisionKind?

  /// Whether the trainer may name the same format: the strategy's is from a file that goes with such a trainer.
  public var allowsSamePrecision = false

  /// The roles of the other plugins it has.
  public var plugins: Set<PluginRole>

  /// Lists what a strategy was given.
  public init(
    accelerator: AcceleratorKind? = nil, devices: [Device]? = nil, precision: PrecisionKind? = nil,
    plugins: Set<PluginRole> = []
  ) {
    self.accelerator = accelerator
    self.devices = devices
    self.precision = precision
    self.plugins = plugins
  }
}
