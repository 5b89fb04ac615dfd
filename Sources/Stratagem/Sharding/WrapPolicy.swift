public import TorchNN

/// Which modules become units of their own, whose parameters are gathered for their forward and backward only.
///
/// What is below no such module belongs to the unit of the whole model, which stays gathered from forward to the end of
/// backward. A module can only be freed after its forward when it is a `Layer`.
public struct WrapPolicy {
  enum Kind {
    case automatic(minimum: Int)
    case size(minimum: Int)
    case types([Module.Type])
    case chosen((_ name: String, _ module: Module) -> Bool)
    case whole
  }

  let kind: Kind

  /// The layers that stand in a list or a `Sequential` and have at least `minimum` parameters: the blocks of most models. A
  /// model without any is one unit.
  public static func automatic(minimum: Int = 100_000) -> WrapPolicy { WrapPolicy(kind: .automatic(minimum: minimum)) }

  /// Modules with at least `minimum` parameters that no unit inside them has, found from the inside out, as PyTorch's
  /// `size_based_auto_wrap_policy` does.
  public static func size(atLeast minimum: Int) -> WrapPolicy { WrapPolicy(kind: .size(minimum: minimum)) }

  /// The modules of some types, subclasses included, as PyTorch's `ModuleWrapPolicy`.
  public static func modules(of types: Module.Type...) -> WrapPolicy { WrapPolicy(kind: .types(types)) }

  /// The modules that `isUnit` says yes to; it is given the path of each, such as `blocks.3`.
  public static func modules(where isUnit: @escaping (_ name: String, _ module: Module) -> Bool) -> WrapPolicy {
    WrapPolicy(kind: .chosen(isUnit))
  }

  /// The whole model is one unit.
  public static var whole: WrapPolicy { WrapPolicy(kind: .whole) }

  /// The modules below `root` that become units, with their paths, parents before children.
  ///
  /// - Throws: ``ConfigurationError`` when a policy that names modules finds none.
  func units(in root: Module) throws(ConfigurationError) -> [(name: String, module: Module)] {
    let candidates = root.namedModules().filter { $0.module !== root && !$0.module.parameters().isEmpty }
    let found: [(name: String, module: Module)]
    var wanted = ""
    switch kind {
    case .whole: return []
    case .automatic(let minimum):
      let own = root.parameters().reduce(0) { $0 + $1.elementCount }
      return Self.repeated(candidates, minimum: minimum).filter { $0.module.elementCount < own }
    case .size(let minimum):
      wanted = "has \(minimum) parameters or more"
      found = Self.large(root, minimum: minimum)
    case .types(let types):
      wanted = "is of type " + types.map { "\($0)" }.joined(separator: " or ")
      found = candidates.filter { candidate in
        types.contains { type in Self.isInstance(candidate.module, of: type) }
      }
    case .chosen(let isUnit):
      wanted = "is chosen by the closure"
      found = candidates.filter { isUnit($0.name, $0.module) }
    }
    guard !found.isEmpty else {
      let kinds = Set(candidates.map { "\(type(of: $0.module))" }).sorted().prefix(12).joined(separator: ", ")
      throw ConfigurationError(
        "wrapPolicy", "the wrap policy matches nothing: no module of \(type(of: root)) \(wanted)",
        suggestion: candidates.isEmpty
          ? "use .whole" : "choose among the modules there are (\(kinds)), or use .automatic() or .whole")
    }
    return found
  }

  /// The outermost layers in lists that are large enough.
  private static func repeated(
    _ candidates: [(name: String, module: Module)], minimum: Int
  ) -> [(name: String, module: Module)] {
    var found: [(name: String, module: Module)] = []
    for (name, module) in candidates {
      guard let last = name.split(separator: ".").last, last.allSatisfy(\.isNumber), module.isLayer,
        !found.contains(where: { name.hasPrefix($0.name + ".") }), module.elementCount >= minimum
      else { continue }
      found.append((name, module))
    }
    return found
  }

  private static func large(_ root: Module, minimum: Int) -> [(name: String, module: Module)] {
    var found: [(name: String, module: Module)] = []
    var seen = Set<ObjectIdentifier>()
    /// Returns the parameters that are in no unit.
    func visit(_ module: Module, _ path: String) -> Int {
      guard seen.insert(ObjectIdentifier(module)).inserted else { return 0 }
      var rest = module.namedParameters().filter { isOwn($0.name, of: module) }.reduce(0) {
        $0 + $1.parameter.elementCount
      }
      for (name, child) in module.namedChildren() { rest += visit(child, path.isEmpty ? name : path + "." + name) }
      guard module !== root, rest >= minimum, module.isLayer else { return rest }
      found.append((path, module))
      return 0
    }
    _ = visit(root, "")
    return found.sorted { $0.name.split(separator: ".").count < $1.name.split(separator: ".").count }
  }

  /// Whether a parameter belongs to the module itself and not to one of its children.
  private static func isOwn(_ name: String, of module: Module) -> Bool {
    !module.namedChildren().contains { name.hasPrefix($0.name + ".") }
  }

  private static func isInstance(_ module: Module, of type: Module.Type) -> Bool {
    var level: Mirror? = Mirror(reflecting: module)
    while let current = level {
      if current.subjectType == type { return true }
      level = current.superclassMirror
    }
    return false
  }
}

extension AnyParameter {
  /// The elements of the whole parameter.
  var elementCount: Int { shape.reduce(1, *) }
}

extension Module {
  /// The elements of all parameters.
  var elementCount: Int { parameters().reduce(0) { $0 + $1.elementCount } }

  /// Whether its calls go through the library.
  var isLayer: Bool { isCalledThroughLibrary }
}
