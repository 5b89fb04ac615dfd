/// The base of everything that holds parameters: layers, blocks and whole models.
///
/// A module is a class with stored properties. Those marked `@Parameter` are trained, those marked `@Buffer` are saved
/// and moved with it, and those that are modules, or optionals, arrays and dictionaries of modules, are its children.
/// Nothing is registered: properties are found by reflection, private and inherited ones included.
///
/// Keys of the state dictionary are PyTorch's for the same structure: the property's name in snake case, then a dot and
/// the child's keys. A module in an array is named by its index, one in a dictionary by its key.
///
/// - Note: Finding the properties costs about 7 µs each. A module that has only parameters and buffers is looked at
///   once; one with children is looked at again by each query, as a child may have been replaced. Keep the result of
///   `parameters()` where it is needed at every step, as optimizers do.
open class Module: CustomStringConvertible {
  /// Whether the module is in training mode, which Dropout and BatchNorm look at; `train(_:)` sets it everywhere.
  public final var isTraining = true

  private final var stableEntries: ModuleEntries?

  /// Whether a recursion is at work on this module, so that one that contains itself is not followed forever.
  private final var isVisited = false

  public init() {}

  /// The key of a property in the state dictionary.
  ///
  /// Override it to give a property a foreign name; return `super`'s answer for the others.
  open func stateKey(for property: String) -> String { StateKey.snakeCase(property) }

  /// Called on each module, parents after their children, when `load(_:strict:)` has copied the state.
  ///
  /// Override it to recompute values derived from parameters or buffers.
  open func didLoadState() {}

  /// What stands between the brackets when the layer is printed, such as `inFeatures: 64, outFeatures: 10`.
  open var extraDescription: String { "" }

  /// Sets training mode (or, with `false`, evaluation mode) here and in all children.
  ///
  /// Override it to hold a part in evaluation mode, for example frozen BatchNorm layers.
  open func train(_ on: Bool = true) {
    if isVisited { return }
    isVisited = true
    defer { isVisited = false }
    isTraining = on
    for child in entries.children { child.module.train(on) }
  }

  /// Sets evaluation mode here and in all children: `train(false)`.
  public final func eval() { train(false) }

  /// Whether this is a `Layer`, whose calls go through the library.
  package var isCalledThroughLibrary: Bool { false }

  /// Lets `observer` know of the calls of this module; nobody knows of those of a module that is no `Layer`.
  package func observeCalls(_ observer: CallObserver) -> [HookHandle] { [] }

  /// What this module holds directly.
  final var entries: ModuleEntries {
    if let stableEntries { return stableEntries }
    let entries = readEntries()
    if entries.isStable { stableEntries = entries }
    return entries
  }

  /// Reads the entries afresh. Containers, whose children have no property each, override it.
  func readEntries() -> ModuleEntries { ModuleReader.read(self, below: Module.self) }

  /// Calls the visitor if this is a layer.
  package func accept(_ visitor: any LayerVisitor) throws {}

  /// The name of the type in printed descriptions.
  var typeName: String { String(describing: type(of: self)) }

  /// The module and its children, nested as PyTorch prints them.
  public final var description: String {
    if isVisited { return "\(typeName)(...)" }
    isVisited = true
    defer { isVisited = false }
    return structureDescription()
  }

  /// The text of `description`; `ModuleList` folds equal neighbours in its own.
  func structureDescription() -> String {
    Self.nested(typeName, extra: extraDescription, children: entries.children.map { ($0.name, $0.module.description) })
  }

  static func nested(_ typeName: String, extra: String, children: [(name: String, text: String)]) -> String {
    if children.isEmpty { return "\(typeName)(\(extra))" }
    var lines = extra.isEmpty ? [] : [extra]
    lines += children.map { child in
      "(\(child.name)): " + child.text.split(separator: "\n").joined(separator: "\n  ")
    }
    return "\(typeName)(\n" + lines.map { "  " + $0 + "\n" }.joined() + ")"
  }
}
