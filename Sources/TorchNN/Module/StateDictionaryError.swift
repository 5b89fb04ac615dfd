/// All that is wrong with a state dictionary that was to be loaded into a module.
public struct StateDictionaryError: Error, Sendable, Hashable, CustomStringConvertible {
  /// A tensor whose shape is not the module's.
  public struct Mismatch: Sendable, Hashable {
    /// The path of the parameter or buffer.
    public let key: String
    /// The shape in the module.
    public let expected: [Int]
    /// The shape in the state dictionary.
    public let found: [Int]

    /// Creates a mismatch of `key`.
    public init(key: String, expected: [Int], found: [Int]) {
      self.key = key
      self.expected = expected
      self.found = found
    }
  }

  /// The type of the module that was to be loaded.
  public let moduleType: String
  /// Keys of the module that the state dictionary lacks, in the module's order.
  public let missing: [String]
  /// Keys of the state dictionary that the module does not know, in the dictionary's order.
  public let unexpected: [String]
  /// Tensors of another shape, in the module's order.
  public let mismatched: [Mismatch]
  /// The shapes of the missing keys in the module and of the unexpected ones in the state dictionary.
  public let shapes: [String: [Int]]

  /// Creates an error that lists what is wrong.
  public init(
    moduleType: String, missing: [String], unexpected: [String], mismatched: [Mismatch], shapes: [String: [Int]] = [:]
  ) {
    self.moduleType = moduleType
    self.missing = missing
    self.unexpected = unexpected
    self.mismatched = mismatched
    self.shapes = shapes
  }

  public var description: String {
    var lines = ["the state does not fit \(moduleType):"]
    lines += mismatched.map { "  shape of \($0.key): expected \($0.expected), found \($0.found)" }
    lines += missing.map { "  missing: \($0), expected \(shape(of: $0)), found none" }
    lines += unexpected.map { "  unexpected: \($0), expected none, found \(shape(of: $0))" }
    return lines.joined(separator: "\n")
  }

  private func shape(of key: String) -> String { shapes[key].map { "\($0)" } ?? "a tensor" }
}
