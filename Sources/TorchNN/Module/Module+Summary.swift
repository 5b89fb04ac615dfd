import Torch

extension Module {
  /// Returns the table of the model's parts: name, type, numbers of parameters, trainable ones and bytes.
  ///
  /// - Parameter depth: how many levels of children have rows of their own; a row includes what is below it. `nil`
  ///   shows all levels.
  public final func summary(depth: Int? = 1) -> ModuleSummary {
    var rows: [ModuleSummary.Row] = []
    for (name, parameter) in entries.parameters where parameter.isPresent {
      rows.append(Self.row(name, "Parameter", [parameter]))
    }
    for occurrence in occurrences().dropFirst() {
      if let depth, occurrence.depth > depth { continue }
      rows.append(Self.row(occurrence.name, occurrence.module.typeName, occurrence.module.parameters()))
    }
    let total = Self.row("", "", parameters())
    return ModuleSummary(
      rows: rows, parameterCount: total.parameterCount, trainableCount: total.trainableCount,
      byteCount: total.byteCount, bufferByteCount: namedBuffers().reduce(0) { $0 + $1.buffer.tensor.byteCount })
  }

  private static func row(_ name: String, _ type: String, _ parameters: [AnyParameter]) -> ModuleSummary.Row {
    var count = 0
    var trainable = 0
    var bytes = 0
    for parameter in parameters {
      let elements = parameter.shape.reduce(1, *)
      count += elements
      if parameter.requiresGradient { trainable += elements }
      bytes += elements * parameter.tensor.dtype.byteCount
    }
    return .init(name: name, type: type, parameterCount: count, trainableCount: trainable, byteCount: bytes)
  }
}
