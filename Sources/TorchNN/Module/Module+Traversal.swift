import Torch

extension Module {
  /// All modules with their paths, this one first (with the empty path), then children depth first; each once.
  public final func namedModules() -> [(name: String, module: Module)] {
    var seen = Set<ObjectIdentifier>()
    return occurrences().compactMap { occurrence in
      seen.insert(ObjectIdentifier(occurrence.module)).inserted ? (occurrence.name, occurrence.module) : nil
    }
  }

  /// The direct children with their names, in declaration order.
  public final func namedChildren() -> [(name: String, module: Module)] { entries.children }

  /// All parameters with their paths, in PyTorch's order: own ones as declared, then the children's depth first.
  ///
  /// - Parameter removingDuplicates: whether a parameter that is reached by several paths is listed once, under the
  ///   first. Two parameters that hold the same tensor count as one.
  public final func namedParameters(
    removingDuplicates: Bool = true
  ) -> [(name: String, parameter: AnyParameter)] {
    var seen = Set<OpaquePointer>()
    var result: [(name: String, parameter: AnyParameter)] = []
    for occurrence in occurrences() {
      for (name, parameter) in occurrence.entries.parameters {
        guard let tensor = parameter.storage else { continue }
        if removingDuplicates, !seen.insert(tensor.handle).inserted { continue }
        result.append((StateKey.join(occurrence.name, name), parameter))
      }
    }
    return result
  }

  /// All buffers with their paths, in the order of `namedParameters()`, those that are not persistent included.
  public final func namedBuffers(removingDuplicates: Bool = true) -> [(name: String, buffer: AnyBuffer)] {
    var seen = Set<OpaquePointer>()
    var result: [(name: String, buffer: AnyBuffer)] = []
    for occurrence in occurrences() {
      for (name, buffer) in occurrence.entries.buffers {
        guard let tensor = buffer.storage else { continue }
        if removingDuplicates, !seen.insert(tensor.handle).inserted { continue }
        result.append((StateKey.join(occurrence.name, name), buffer))
      }
    }
    return result
  }

  /// All parameters, each once, in the order of `namedParameters()`.
  public final func parameters() -> [AnyParameter] { namedParameters().map(\.parameter) }

  /// All parameters and buffers, each once, those that hold no tensor included.
  package final func tensorHolders() -> [TensorHolder] {
    var seen = Set<ObjectIdentifier>()
    var result: [TensorHolder] = []
    for occurrence in occurrences() {
      for (_, parameter) in occurrence.entries.parameters { result.append(parameter) }
      for (_, buffer) in occurrence.entries.buffers { result.append(buffer) }
    }
    return result.filter { seen.insert(ObjectIdentifier($0)).inserted }
  }

  /// Returns the path of a module within this one (empty for this one), or `nil` if it is not part of it.
  public final func path(of module: Module) -> String? {
    occurrences().first { $0.module === module }?.name
  }

  /// Calls `body` with every module, children before parents, each once.
  public final func apply(_ body: (Module) throws -> Void) rethrows {
    var seen = Set<ObjectIdentifier>()
    try apply(body, seen: &seen)
  }

  private final func apply(_ body: (Module) throws -> Void, seen: inout Set<ObjectIdentifier>) rethrows {
    guard seen.insert(ObjectIdentifier(self)).inserted else { return }
    for child in entries.children { try child.module.apply(body, seen: &seen) }
    try body(self)
  }

  /// Checks that every module and parameter of the model can be found.
  ///
  /// - Throws: `ModuleStructureError` naming each property that holds modules in a tuple, a set, a structure or under
  ///   keys that are not names, each module that contains itself, and each type compiled without reflection metadata.
  public final func checkStructure() throws(ModuleStructureError) {
    var problems: [String] = []
    _ = collectOccurrences(problems: &problems)
    if !problems.isEmpty { throw ModuleStructureError(moduleType: typeName, problems: problems) }
  }

  /// One place where a module stands in the tree.
  struct Occurrence {
    let name: String
    /// How many modules stand above it.
    let depth: Int
    let module: Module
    let entries: ModuleEntries
  }

  /// Every module at every path, parents first. A structure that cannot be read is an error of the enclosing scope.
  final func occurrences() -> [Occurrence] {
    var problems: [String] = []
    let result = collectOccurrences(problems: &problems)
    if !problems.isEmpty {
      let error = ModuleStructureError(moduleType: typeName, problems: problems)
      _ = Tensor.failed(operation: "module structure", message: error.description)
    }
    return result
  }

  private final func collectOccurrences(problems: inout [String]) -> [Occurrence] {
    var result: [Occurrence] = []
    var ancestors = Set<ObjectIdentifier>()
    collect(at: "", into: &result, ancestors: &ancestors, problems: &problems)
    return result
  }

  private final func collect(
    at path: String, into result: inout [Occurrence], ancestors: inout Set<ObjectIdentifier>, problems: inout [String]
  ) {
    guard ancestors.insert(ObjectIdentifier(self)).inserted else {
      problems.append(
        "\(path): this \(typeName) contains itself; keep a reference to a parent in a closure, not in a stored property"
      )
      return
    }
    let entries = self.entries
    if let hidden = entries.hiddenType {
      let place = path.isEmpty ? "" : path + ": "
      problems.append(
        """
        \(place)the type \(hidden) has stored properties that cannot be seen; it was compiled with \
        -disable-reflection-metadata, which hides parameters and layers: compile it without this flag
        """)
    }
    result.append(Occurrence(name: path, depth: ancestors.count - 1, module: self, entries: entries))
    for problem in entries.problems { problems.append(StateKey.join(path, problem)) }
    for (name, child) in entries.children {
      child.collect(at: StateKey.join(path, name), into: &result, ancestors: &ancestors, problems: &problems)
    }
    ancestors.remove(ObjectIdentifier(self))
  }
}
