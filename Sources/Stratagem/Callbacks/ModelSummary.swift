internal import Torch
internal import TorchNN

/// Prints the parts of the model with their sizes on rank 0 when a fit starts.
///
/// ```
///   | name | type   | parameters | mode  | in sizes | out sizes
/// 0 | fc1  | Linear |      8.3 K | train | [1, 64]  | [1, 128]
/// ```
public final class ModelSummary: Callback {
  /// How many levels of parts have rows of their own; -1 for all, 0 for the totals alone.
  public let maxDepth: Int
  private let example: ((AnyLightningModule) throws -> Void)?

  /// - Parameters:
  ///   - maxDepth: how many levels of parts are shown, -1 for all; a part includes what is below it.
  ///   - example: runs the model once, for the sizes of inputs and outputs, such as `{ ($0 as? Classifier)?(images) }`.
  ///     It is called without gradients and in evaluation mode.
  public init(maxDepth: Int = 1, example: ((AnyLightningModule) throws -> Void)? = nil) {
    precondition(maxDepth >= -1, "ModelSummary: maxDepth is \(maxDepth); give -1 for all levels, or at least 0")
    self.maxDepth = maxDepth
    self.example = example
  }

  public override func onFitStart(_ trainer: Trainer) throws {
    guard trainer.isGlobalZero, let module = trainer.strategy.module else { return }
    trainer.announce(try text(for: module, isUTF8: Terminal(descriptor: 1).isUTF8))
  }

  /// Returns the table and the totals, without a line break at the end.
  ///
  /// - Parameter isUTF8: draws with box characters, otherwise with those of ASCII.
  public func text(for module: AnyLightningModule, isUTF8: Bool = true) throws -> String {
    let parts = module.namedModules().dropFirst().filter { depth($0.name) <= maxDepth || maxDepth < 0 }
    let summary = module.summary(depth: maxDepth < 0 ? nil : maxDepth)
    let sizes = try example.map { try ModelSummary.sizes(of: parts.map(\.module), in: module, $0) }
    var columns: [TextTable.Column] = [
      .init("", .right), .init("name"), .init("type"), .init("parameters", .right), .init("mode"),
    ]
    if sizes != nil { columns += [.init("in sizes"), .init("out sizes")] }
    var table = TextTable(columns)
    for (index, row) in summary.rows.enumerated() {
      let part = parts.first { $0.name == row.name }?.module
      let shapes = part.flatMap { sizes?[ObjectIdentifier($0)] }
      table.append([
        "\(index)", row.name, row.type, ModelSummary.readable(row.parameterCount),
        part.map { $0.isTraining ? "train" : "eval" } ?? "", shapes?.input ?? "?", shapes?.output ?? "?",
      ])
    }
    return (summary.rows.isEmpty ? "" : table.text(isUTF8: isUTF8)) + totals(module, summary)
  }

  private func totals(_ module: AnyLightningModule, _ summary: ModuleSummary) -> String {
    let modes = module.namedModules().dropFirst().map(\.module.isTraining)
    let training = modes.count { $0 }
    let megabytes = Double((summary.byteCount + 500) / 1000) / 1000
    let lines = [
      (ModelSummary.readable(summary.trainableCount), "trainable parameters"),
      (ModelSummary.readable(summary.parameterCount - summary.trainableCount), "non-trainable parameters"),
      (ModelSummary.readable(summary.parameterCount), "parameters in total"),
      ("\(megabytes)", "MB of parameters"),
      ("\(training)", "modules in train mode"),
      ("\(modes.count - training)", "modules in eval mode"),
    ]
    return lines.map { DisplayText.padded($0.0, to: 9, .left) + " " + $0.1 }.joined(separator: "\n")
  }

  private func depth(_ name: String) -> Int { name.count { $0 == "." } + 1 }

  /// Runs the example and notes the shapes at each layer of tensors.
  private static func sizes(
    of parts: [Module], in module: AnyLightningModule, _ example: (AnyLightningModule) throws -> Void
  ) throws -> [ObjectIdentifier: (input: String, output: String)] {
    let restored = module.namedModules().map { (module: $0.module, isTraining: $0.module.isTraining) }
    module.eval()
    defer { for mode in restored { mode.module.isTraining = mode.isTraining } }
    let notes = ShapeNotes()
    let handles = parts.compactMap { part in
      (part as? Layer<Tensor, Tensor>)?.registerForwardHook { layer, input, output in
        notes.shapes[ObjectIdentifier(layer)] = (input: "\(input.shape)", output: "\(output.shape)")
        return nil
      }
    }
    defer { for handle in handles { handle.remove() } }
    try withErrorScope { try withoutGradients { try example(module) } }
    return notes.shapes
  }

  private final class ShapeNotes {
    var shapes: [ObjectIdentifier: (input: String, output: String)] = [:]
  }

  /// `8320` as `8.3 K`.
  static func readable(_ number: Int) -> String {
    let units = ["", " K", " M", " B", " T"]
    var (value, unit) = (Double(number), 0)
    while value >= 999.95, unit + 1 < units.count {
      value /= 1000
      unit += 1
    }
    return unit == 0 ? "\(number)" : "\((value * 10).rounded() / 10)\(units[unit])"
  }
}
