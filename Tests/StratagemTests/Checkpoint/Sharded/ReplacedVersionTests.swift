import Testing
import Torch

@testable import Stratagem

@Suite("A sharded checkpoint that another run replaces while it is read")
struct ReplacedVersionTests {
  @Test("The error says that there is a newer version, which loads")
  func replaced() throws {
    let folder = try ScratchFolder()
    let path = "\(folder.path)/a.ckpt"
    func save() -> [String] {
      ThreadRanks.run(2) { ranks in
        try ShardedCheckpointWriter(ranks: ranks, strategy: "test")
          .save(SampleCheckpoint.held(by: ranks.rank, of: 2), to: path)
      }.map { $0.map { "\($0)" } ?? "" }
    }
    #expect(save() == ["", ""])
    let old = try Checkpoint.open(path)
    #expect(save() == ["", ""])
    let key = try #require(old.stateDictionary?.keys.first)
    let error = #expect(throws: FileError.self) { _ = try old.load(#require(old.stateDictionary?[key])) }
    #expect(error?.reason.contains("a save has put version v2 in its place meanwhile") == true, "\(error as Any)")
    let new = try Checkpoint.open(path)
    _ = try new.load(#require(new.stateDictionary?[key]))
  }
}
