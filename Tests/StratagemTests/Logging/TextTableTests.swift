import Testing

@testable import Stratagem

@Suite struct TextTableTests {
  private var table: TextTable {
    var table = TextTable([.init("Name"), .init("Type", .center), .init("Params", .right)])
    table.append(["fc1", "Linear", "8320"])
    table.append(["名前", "ReLU", "0"])
    table.append(["cut\u{1b}off"])
    return table
  }

  @Test func boxes() {
    #expect(
      table.text() == """
        ┏━━━━━━━━━┳━━━━━━━━┳━━━━━━━━┓
        ┃ Name    ┃  Type  ┃ Params ┃
        ┡━━━━━━━━━╇━━━━━━━━╇━━━━━━━━┩
        │ fc1     │ Linear │   8320 │
        │ 名前    │  ReLU  │      0 │
        │ cut?off │        │        │
        └─────────┴────────┴────────┘

        """)
  }

  @Test func plainCharacters() {
    #expect(
      table.text(isUTF8: false) == """
        +---------+--------+--------+
        | Name    |  Type  | Params |
        +=========+========+========+
        | fc1     | Linear |   8320 |
        | 名前    |  ReLU  |      0 |
        | cut?off |        |        |
        +---------+--------+--------+

        """)
  }

  @Test func wideCellsAreBroken() {
    var table = TextTable([.init("key"), .init("value")])
    table.append(["path", "runs/digits/epoch=9-step=470.ckpt"])
    table.append(["text", "one two three four"])
    #expect(
      table.text(width: 26, isUTF8: false) == """
        +------+-----------------+
        | key  | value           |
        +======+=================+
        | path | runs/digits/    |
        |      | epoch=9-        |
        |      | step=470.ckpt   |
        | text | one two three   |
        |      | four            |
        +------+-----------------+

        """)
    let narrow = table.text(width: 5, isUTF8: false).split(separator: "\n")
    #expect(narrow.allSatisfy { $0.count == 4 + 8 + 7 }, "no column becomes narrower than 8: \(narrow)")
  }

  @Test func results() {
    let table = ResultTable(
      verb: "Validate",
      metrics: [
        ("val/loss/dataloader_idx_0", .float(0.25870287)), ("val/accuracy/dataloader_idx_1", .float(.nan)),
        ("val/accuracy/dataloader_idx_0", .double(0.1)), ("samples", 297),
      ])
    #expect(
      table.text() == """
        ┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
        ┃ Validate metric ┃ DataLoader 0 ┃ DataLoader 1 ┃
        ┡━━━━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━╇━━━━━━━━━━━━━━┩
        │     samples     │    297.0     │              │
        │  val/accuracy   │     0.1      │     nan      │
        │    val/loss     │  0.25870287  │              │
        └─────────────────┴──────────────┴──────────────┘

        """)
    #expect(ResultTable(verb: "Test", loaders: []).text() == "")
  }

  @Test func reports() {
    let report = RunReport(
      results: ResultTable(verb: "Test", loaders: [[("a", 1)]]),
      files: [("best checkpoint", "runs/a/epoch=9.ckpt", "val/loss 0.1"), ("metrics", "runs/a/metrics.csv", nil)],
      steps: 470, seconds: 0.42, processes: 2, ending: "Stopped by Ctrl-C at step 470.")
    #expect(
      report.text(width: 27, isUTF8: false) == """
        +------------+------------+
        |    Test    | DataLoader |
        |   metric   |     0      |
        +============+============+
        |     a      |    1.0     |
        +------------+------------+
        best checkpoint  runs/a/epoch=9.ckpt  (val/loss 0.1)
        metrics          runs/a/metrics.csv
        Stopped by Ctrl-C at step 470.
        470 steps in 0.42 s (1119 steps/s) on 2 processes

        """)
    #expect(RunReport(steps: 1, seconds: 4).text() == "1 step in 4.00 s (4.00 s/step)\n")
    #expect(RunReport(steps: 0, seconds: 4).text() == "")
  }
}
