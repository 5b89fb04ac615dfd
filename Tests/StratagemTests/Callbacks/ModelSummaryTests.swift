import Testing

@testable import Stratagem

@Suite struct ModelSummaryTests {
  private final class Block: Layer<Tensor, Tensor> {
    let inner = Linear(4, 4)
    override func forward(_ input: Tensor) -> Tensor { inner(input) }
  }

  private final class Model: LightningModule<Tensor> {
    let block = Block()
    let head = Linear(4, 1000)
    func callAsFunction(_ input: Tensor) -> Tensor { head(block(input)) }
  }

  @Test func theTable() throws {
    let model = Model()
    model.block.inner.eval()
    for parameter in model.block.parameters() { parameter.tensor.requiresGradient = false }
    #expect(
      try ModelSummary().text(for: model, isUTF8: false) == """
        +---+-------+--------+------------+-------+
        |   | name  | type   | parameters | mode  |
        +===+=======+========+============+=======+
        | 0 | block | Block  |         20 | train |
        | 1 | head  | Linear |      5.0 K | train |
        +---+-------+--------+------------+-------+
        5.0 K     trainable parameters
        20        non-trainable parameters
        5.0 K     parameters in total
        0.02      MB of parameters
        2         modules in train mode
        1         modules in eval mode
        """)
    let deep = try ModelSummary(maxDepth: -1).text(for: model, isUTF8: false)
    #expect(deep.contains("| 1 | block.inner | Linear |         20 | eval  |"))
    #expect(try ModelSummary(maxDepth: 0).text(for: model).hasPrefix("5.0 K     trainable parameters\n"))
  }

  @Test func sizesOfAnExample() throws {
    let model = Model()
    let summary = ModelSummary { _ = ($0 as? Model)?(Tensor.ones([2, 4])) }
    let text = try summary.text(for: model, isUTF8: false)
    #expect(text.contains("| 0 | block | Block  |         20 | train | [2, 4]   | [2, 4]    |"))
    #expect(text.contains("| 1 | head  | Linear |      5.0 K | train | [2, 4]   | [2, 1000] |"))
    #expect(model.isTraining && model.block.isTraining)
    let failing = ModelSummary { _ = ($0 as? Model)?(Tensor.ones([2, 5])) }
    #expect(throws: TorchError.self) { try failing.text(for: model) }
  }

  @Test(arguments: [
    (0, "0"), (999, "999"), (1000, "1.0 K"), (999_949, "999.9 K"), (999_950, "1.0 M"), (7_000_000_000, "7.0 B"),
  ])
  func readable(number: Int, text: String) {
    #expect(ModelSummary.readable(number) == text)
  }
}
