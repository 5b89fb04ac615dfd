import Foundation
import Testing
import Torch

/// Checkpoints that Lightning 2.6.6 wrote at three kinds of moments; `Tests/Interoperability/fixture.py` makes them.
@Suite("Checkpoints of Python Lightning 2.6")
struct LightningFixtureTests {
  struct Fixture: Decodable {
    let options: [String]
    let losses: [Double]
    let files: [String: Int]

    init() throws {
      let data = try Data(contentsOf: URL(filePath: Repository.reference("lightning-2.6.json")))
      self = try JSONDecoder().decode(Fixture.self, from: data)
    }
  }

  @Test(
    "The losses go on as they did in Python",
    arguments: ["lightning-2.6-step.ckpt", "lightning-2.6-epoch.ckpt", "lightning-2.6-validation.ckpt"])
  func resumed(file: String) throws {
    let fixture = try Fixture()
    let step = try #require(fixture.files[file])
    let run = try ProbeRun(
      "fit", 1, options: fixture.options + ["resume=\(Repository.reference(file))"]
    ).succeeded()
    let rows = try run.metrics.rows("train/loss")
    #expect(rows.map(\.step) == Array(step..<18))
    #expect(rows.map(\.epoch) == (step..<18).map { $0 / 6 })
    for (row, expected) in zip(rows, fixture.losses.dropFirst(step)) {
      expectClose(row.value, expected, within: 1e-5, "loss of step \(row.step)")
    }
    let end = try CheckpointFile("\(run.folder.path)/checkpoints/last.ckpt")
    #expect(end.step == 18 && end.epoch == 2)
  }

  @Test("The best of a ModelCheckpoint of the same settings is known here")
  func best() throws {
    let fixture = try Fixture()
    let run = try ProbeRun(
      "fit", 1,
      options: fixture.options + [
        "monitor=val/loss", "mode=min", "keep=-1", "resume=\(Repository.reference("lightning-2.6-epoch.ckpt"))",
      ]
    ).succeeded()
    #expect(run.folder.names(in: "checkpoints") == ["epoch=1-step=12.ckpt", "epoch=2-step=18.ckpt", "last.ckpt"])
  }
}
