public import TorchNN

/// Which elements of a parameter this rank holds, when a strategy partitions parameters or their optimizer state.
///
/// While a parameter is partitioned, its optimizer sees a vector of these elements in its place: state and gradient have
/// the same elements.
public struct ParameterPlacement {
  /// The parameter, as optimizers know it.
  public let parameter: AnyParameter
  /// Its key in the state dictionary of the module.
  public let name: String
  /// The shape of the whole parameter.
  public let shape: [Int]
  /// The elements held here, numbered in row-major order of the whole; empty when other ranks hold all of it.
  public let range: Range<Int>
  /// Whether this rank writes them to checkpoints; false for a copy of what another rank writes.
  public let isPrimary: Bool

  public init(parameter: AnyParameter, name: String, shape: [Int], range: Range<Int>, isPrimary: Bool = true) {
    self.parameter = parameter
    self.name = name
    self.shape = shape
    self.range = range
    self.isPrimary = isPrimary
  }
}
