public import TorchNN

/// Which layers of a model compute their activations again in backward; see ``ActivationCheckpoint``.
///
/// ```swift
/// let checkpoints = try ActivationCheckpointPolicy(layersOf: Block.self).apply(to: model)
/// ```
public struct ActivationCheckpointPolicy {
  /// How the layers are checkpointed.
  public var options: ActivationCheckpoint
  private let selection: (Module) -> [(name: String, module: Module)]
  private let text: String

  /// The layers of some types, subclasses included.
  public init(layersOf types: Module.Type..., options: ActivationCheckpoint = ActivationCheckpoint()) {
    self.init(layersOf: types, options: options)
  }

  /// The layers of some types, subclasses included.
  public init(layersOf types: [Module.Type], options: ActivationCheckpoint = ActivationCheckpoint()) {
    self.options = options
    text = "of type \(types.map { "\($0)" }.joined(separator: ", "))"
    selection = { root in
      root.namedModules().filter { entry in types.contains { Self.isKind(entry.module, of: $0) } }
    }
  }

  /// The layers for which `isChosen` answers true; it is given their path in the model.
  public init(
    options: ActivationCheckpoint = ActivationCheckpoint(),
    where isChosen: @escaping (_ name: String, _ module: Module) -> Bool
  ) {
    self.options = options
    text = "that the policy's closure chooses"
    selection = { root in root.namedModules().filter { isChosen($0.name, $0.module) } }
  }

  /// The innermost layers with at least so many parameters, their own and those of the layers inside.
  public init(minimumParameters count: Int, options: ActivationCheckpoint = ActivationCheckpoint()) {
    self.options = options
    text = "with at least \(count) parameters"
    selection = { root in
      root.namedModules().filter { entry in
        Self.size(entry.module) >= count && !entry.module.namedChildren().contains { Self.size($0.module) >= count }
      }
    }
  }

  /// Attaches a checkpoint to every chosen layer of `model`.
  ///
  /// - Returns: the checkpoints, which ``ActivationCheckpoints/remove()`` ends.
  /// - Throws: ``ConfigurationError`` when nothing is chosen, or something that cannot be checkpointed; then no layer is.
  @discardableResult
  public func apply(to model: Module) throws -> ActivationCheckpoints {
    let chosen = selection(model)
    guard !chosen.isEmpty else {
      throw ConfigurationError(
        "activationCheckpointing", "\(type(of: model)) has no layer \(text)",
        suggestion: "choose a type of layer it has, or leave the policy out")
    }
    let attachment = Attachment(options: options)
    do {
      for (name, module) in chosen {
        let before = attachment.handles.count
        try module.accept(attachment)
        guard attachment.handles.count > before else {
          throw ConfigurationError(
            "activationCheckpointing",
            "'\(name)' of type \(type(of: module)) is no Layer, so its forward cannot be repeated",
            suggestion: "choose layers, such as those it calls")
        }
      }
    } catch {
      for handle in attachment.handles { handle.remove() }
      throw error
    }
    return ActivationCheckpoints(names: chosen.map(\.name), handles: attachment.handles)
  }

  private static func isKind(_ module: Module, of type: Module.Type) -> Bool {
    var level: Mirror? = Mirror(reflecting: module)
    while let current = level {
      if current.subjectType == type { return true }
      level = current.superclassMirror
    }
    return false
  }

  private static func size(_ module: Module) -> Int { module.parameters().reduce(0) { $0 + $1.tensor.count } }

  private final class Attachment: LayerVisitor {
    let options: ActivationCheckpoint
    var handles: [HookHandle] = []

    init(options: ActivationCheckpoint) { self.options = options }

    func visit<Input, Output>(_ layer: Layer<Input, Output>) throws { handles.append(try options.attach(to: layer)) }
  }
}

/// The checkpoints that a policy attached to a model.
public final class ActivationCheckpoints {
  /// The paths of the layers.
  public let names: [String]
  private var handles: [HookHandle]

  init(names: [String], handles: [HookHandle]) {
    self.names = names
    self.handles = handles
  }

  /// Lets the layers keep their activations again.
  public func remove() {
    for handle in handles { handle.remove() }
    handles = []
  }
}
