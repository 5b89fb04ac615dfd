/// Where a strategy keeps parameters and gradients that are not in memory.
public struct ParameterStoreOptions: Hashable, Sendable {
  /// The folder of the file, on a disk of this machine.
  public var folder: String
  public var disk: DiskOptions
  /// The elements of parameters that stay in memory; units in the order of the model, as many as fit.
  public var elementsInMemory: Int
  /// The most elements that are read or written at once, and updated together.
  public var pieceSize: Int

  public init(
    folder: String, disk: DiskOptions = DiskOptions(), elementsInMemory: Int = 0, pieceSize: Int = 1 << 20
  ) {
    self.folder = folder
    self.disk = disk
    self.elementsInMemory = elementsInMemory
    self.pieceSize = pieceSize
  }

  var problems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if elementsInMemory < 0 {
      problems.append(
        .init("elementsInMemory", "elementsInMemory is \(elementsInMemory)", suggestion: "give at least 0"))
    }
    if pieceSize < 1 {
      problems.append(.init("pieceSize", "pieceSize is \(pieceSize)", suggestion: "give at least 1"))
    }
    return problems
  }
}
