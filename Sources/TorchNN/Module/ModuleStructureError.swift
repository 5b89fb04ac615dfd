/// Properties that hold modules or parameters in a way the module walk cannot use; all of them at once.
public struct ModuleStructureError: Error, Sendable, Hashable, CustomStringConvertible {
  /// The type of the module that was checked.
  public let moduleType: String
  /// One sentence per property, beginning with its path.
  public let problems: [String]

  public var description: String {
    "the structure of \(moduleType) cannot be used:\n" + problems.map { "  " + $0 }.joined(separator: "\n")
  }
}
