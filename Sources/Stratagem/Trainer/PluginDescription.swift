/// The part of a run that a plugin takes over.
public enum PluginRole: String, CaseIterable, Hashable, Sendable {
  case accelerator
  case precision
  case checkpointIO
  case clusterEnvironment
  case layerSync
}

/// A plugin, as far as the plan of a run has to know it.
public struct PluginDescription: Sendable {
  /// The part that it takes over.
  public var role: PluginRole

  /// The name of its type, for messages.
  public var typeName: String

  /// The format that a precision plugin computes in.
  public var precision: PrecisionKind?

  /// The hardware that an accelerator plugin drives, or for which a precision plugin is made.
  public var accelerator: AcceleratorKind?

  /// The object, for a cluster environment.
  public var clusterEnvironment: (any ClusterEnvironment)?

  /// Describes a plugin.
  public init(
    _ role: PluginRole, typeName: String, precision: PrecisionKind? = nil, accelerator: AcceleratorKind? = nil
  ) {
    self.role = role
    self.typeName = typeName
    self.precision = precision
    self.accelerator = accelerator
  }

  /// Describes a cluster environment.
  public init(_ environment: any ClusterEnvironment) {
    self.init(.clusterEnvironment, typeName: "\(type(of: environment))")
    clusterEnvironment = environment
  }
}
