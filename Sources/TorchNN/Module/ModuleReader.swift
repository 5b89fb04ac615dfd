import Torch

/// Reads the stored properties of one module by reflection.
struct ModuleReader {
  private(set) var entries = ModuleEntries()

  /// Reads the properties of `module` that are declared below the class `base`, superclasses first.
  static func read(_ module: Module, below base: AnyClass) -> ModuleEntries {
    var reader = ModuleReader()
    var levels: [Mirror] = []
    var level: Mirror? = Mirror(reflecting: module)
    while let current = level, current.subjectType != base {
      levels.append(current)
      level = current.superclassMirror
    }
    for level in levels.reversed() {
      if level.children.isEmpty, let type = level.subjectType as? AnyClass, ClassLayout.hasStoredProperties(type) {
        reader.entries.hiddenType = "\(type)"
      }
      for child in level.children {
        guard let label = child.label else { continue }
        reader.visit(child.value, property: label, of: module)
      }
    }
    return reader.entries
  }

  private mutating func visit(_ value: Any, property label: String, of module: Module) {
    if Self.plainTypes.contains(ObjectIdentifier(type(of: value))) { return }
    let isWrapper = value is TensorHolder
    let property = Self.propertyName(label, isWrapper: isWrapper)
    visit(value, name: module.stateKey(for: property), property: property)
  }

  private mutating func visit(_ value: Any, name: String, property: String) {
    if let parameter = value as? AnyParameter {
      entries.parameters.append((name, parameter))
    } else if let buffer = value as? AnyBuffer {
      entries.buffers.append((name, buffer))
    } else if let child = value as? Module {
      entries.isStable = false
      entries.children.append((name, child))
    } else {
      visitContainer(value, name: name, property: property)
    }
  }

  private mutating func visitContainer(_ value: Any, name: String, property: String) {
    if Self.plainTypes.contains(ObjectIdentifier(type(of: value))) { return }
    let mirror = Mirror(reflecting: value)
    switch mirror.displayStyle {
    case .optional:
      entries.isStable = false
      if let wrapped = mirror.children.first?.value { visit(wrapped, name: name, property: property) }
    case .collection:
      entries.isStable = false
      visitElements(of: mirror, name: name, property: property)
    case .dictionary:
      entries.isStable = false
      visitValues(of: mirror, type: type(of: value), name: name, property: property)
    case .tuple, .set, .struct, .enum:
      guard Self.holdsModules(mirror, depth: 3) else { return }
      entries.isStable = false
      entries.problems.append(
        """
        \(property): a value of type \(type(of: value)) holds modules or parameters where the walk does not look; give \
        each a property of its own, or keep them in an array or a dictionary with string keys
        """)
    default:
      return
    }
  }

  /// Arrays: elements are named by their index. An array whose first elements hold nothing is taken to hold nothing.
  private mutating func visitElements(of mirror: Mirror, name: String, property: String) {
    let before = entries.count
    for (index, element) in mirror.children.enumerated() {
      if index == Self.probedElements, entries.count == before { return }
      visit(element.value, name: name + "." + String(index), property: "\(property)[\(index)]")
    }
  }

  /// Dictionaries: values are named by their key, in the order of the keys.
  private mutating func visitValues(of mirror: Mirror, type: Any.Type, name: String, property: String) {
    var byString: [(String, Any)] = []
    var byNumber: [(Int, Any)] = []
    for element in mirror.children {
      let pair = Mirror(reflecting: element.value).children.map(\.value)
      guard pair.count == 2 else { continue }
      if let key = pair[0] as? String {
        byString.append((key, pair[1]))
      } else if let key = pair[0] as? Int {
        byNumber.append((key, pair[1]))
      } else if Self.holdsModules(pair[1], depth: 3) {
        entries.problems.append(
          "\(property): the keys of \(type) do not name its modules; use String or Int keys")
        return
      }
    }
    byString.sort { $0.0 < $1.0 }
    byNumber.sort { $0.0 < $1.0 }
    for (key, value) in byString { visit(value, name: name + "." + key, property: "\(property)[\"\(key)\"]") }
    for (key, value) in byNumber { visit(value, name: name + "." + String(key), property: "\(property)[\(key)]") }
  }

  private static func holdsModules(_ value: Any, depth: Int) -> Bool {
    if value is Module || value is TensorHolder { return true }
    if plainTypes.contains(ObjectIdentifier(type(of: value))) { return false }
    return holdsModules(Mirror(reflecting: value), depth: depth)
  }

  /// Whether a value contains a module; classes other than modules are not entered, as they may refer to anything.
  private static func holdsModules(_ mirror: Mirror, depth: Int) -> Bool {
    guard depth > 0, mirror.displayStyle != .class else { return false }
    return mirror.children.prefix(probedElements).contains { holdsModules($0.value, depth: depth - 1) }
  }

  /// The name the user gave a property: wrappers are stored as `_name`, lazy properties as `$__lazy_storage_$_name`.
  private static func propertyName(_ label: String, isWrapper: Bool) -> String {
    let lazyPrefix = "$__lazy_storage_$_"
    if label.hasPrefix(lazyPrefix) { return String(label.dropFirst(lazyPrefix.count)) }
    return isWrapper && label.hasPrefix("_") ? String(label.dropFirst()) : label
  }

  private static let probedElements = 16

  /// Types that can hold no module, passed over without reflection.
  private static let plainTypes: Set<ObjectIdentifier> = {
    let types: [Any.Type] = [
      Int.self, Double.self, Float.self, Bool.self, String.self, Int64.self, Int32.self, UInt8.self, UInt64.self,
      [Int].self, [Double].self, [Float].self, [Bool].self, [String].self, [Int64].self, [Int32].self, [UInt8].self,
      Int?.self, Double?.self, Float?.self, Bool?.self, String?.self, [Int]?.self, Tensor.self, Tensor?.self,
      [Tensor].self, BatchNorm.Normalizer?.self, DType.self, DType?.self, Device.self, Device?.self, Scalar.self,
      Generator.self, Generator?.self,
    ]
    return Set(types.map { ObjectIdentifier($0) })
  }()
}

extension ModuleEntries {
  fileprivate var count: Int { parameters.count + buffers.count + children.count + problems.count }
}
