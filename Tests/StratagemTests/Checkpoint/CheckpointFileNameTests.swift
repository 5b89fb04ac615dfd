import Testing

@testable import Stratagem

@Suite("Names of checkpoint files")
struct CheckpointFileNameTests {
  static let metrics = ["val/loss": 0.123456, "acc": 1.12, "bad": Double.nan, "low": -2.5, "epoch_test": 7]

  @Test(
    "As Python's format writes them",
    arguments: [
      ("{epoch}-{step}", "epoch=3-step=188"), ("{epoch:02d}", "epoch=03"), ("{epoch:d}", "epoch=3"),
      ("{epoch}-{val/loss:.2f}", "epoch=3-val_loss=0.12"), ("{acc:02.0f}", "acc=01"), ("{acc:6.2f}", "acc=  1.12"),
      ("{low:06.2f}", "low=-02.50"), ("{val/loss:.1e}", "val_loss=1.2e-01"), ("{acc}", "acc=1.12"),
      ("{bad:.2f}", "bad=nan"), ("{missing:d}", "missing=0"), ("{missing:.1f}", "missing=0.0"),
      ("plain", "plain"), ("{epoch_test:d}-{epoch}", "epoch_test=7-epoch=3"), ("{step:.1f}", "step=188.0"),
      ("by-epoch/{epoch}", "by-epoch/epoch=3"), ("{acc:g}", "acc=1.12"),
    ])
  func named(_ template: String, _ expected: String) throws {
    let name = try CheckpointFileName(template, insertsNames: true)
    #expect(name.text(epoch: 3, step: 188, metrics: Self.metrics) == expected)
  }

  @Test("Without the names of the metrics")
  func unnamed() throws {
    let name = try CheckpointFileName("epoch={epoch}-loss={val/loss:.3f}", insertsNames: false)
    #expect(name.text(epoch: 0, step: 1, metrics: Self.metrics) == "epoch=0-loss=0.123")
  }

  @Test(
    "Templates that are none",
    arguments: ["", "{epoch", "epoch}", "{a{b}}", "{}", "{:d}", "{a:x}", "{a:.f}", "{a:.2d}", "{a:2f2}"])
  func refused(_ template: String) {
    let error = #expect(throws: ConfigurationError.self) { try CheckpointFileName(template, insertsNames: true) }
    #expect(error?.description.contains("'\(template)'") == true)
  }
}
