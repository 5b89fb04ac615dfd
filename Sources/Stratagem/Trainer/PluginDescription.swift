/// The part of a run that a plugin takes over.
public enum PluginRole: String, CaseIterable, Hashable, Sendable {
  case accelerator
  case precision
  case checkpointIO
  case clusterEnvironment
  case layerSync
}

/// A plugin, as far as the plan of a run has to know it.
public struct PluginDescription: Hashable, Sendable {
  /// The part that it takes over.
  public var role: PluginRole

  /// The name of its type, for messages.
  public var typeName: String

  /// The format that a precision plugin computes in.
  public var precision: PrecisionKind?

  /// The hardware that an accelerator plugin drives.
  public var accelerator: AcceleratorKind?

  /// Describes a plugin.
  public init(
    _ role: PluginRole, typeName: String, precision: PrecisionKind? = nil, accelerator: AcceleratorKind? = nil
  ) {
    self.role = role
    self.typeName = typeName
    self.precision = precision
    self.accelerator = accelerator
  }
}
