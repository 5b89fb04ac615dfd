import Foundation
import Testing

/// A run that is stopped and resumed in new processes has the bits of one that was not: losses, weights of every rank,
/// state of optimizers, schedules and loss scales; and saving does not change the run that saves.
@Suite("Going on to the bit, from a folder and from a file", .serialized)
struct ExactResumeTests {
  private static let cases = [
    "fsdp+accumulate+clip+per-step", "fsdp+lamb+groups", "fsdp+qadam+late", "fsdp+unfreeze+groups+per-epoch",
    "fsdp-grad+amsgrad+bf16", "fsdp+manual+sgd", "fsdp+fp16+clip", "ddp_sharded+sgd+groups+late",
    "ddp_sharded+lamb+accumulate+clip", "ddp_sharded+manual", "deepspeed_stage_1+qadam+groups+per-step",
    "deepspeed_stage_1+late+amsgrad+unfreeze", "deepspeed_stage_1+lamb+manual", "deepspeed_stage_2+fp16+accumulate",
    "deepspeed_stage_2+unfreeze+lamb", "stage-3+late+sgd+clip+per-epoch", "stage-3+lamb+clip", "stage-3+manual+qadam",
    "stage-3-float16+groups", "deepspeed_stage_2_offload+groups", "stage-2-disk+late+clip",
    "stage-3-disk+groups+accumulate",
    "stage-3-disk+sgd+unfreeze+late",
  ]

  @Test("Every optimizer under every sharded strategy", arguments: 1...3)
  func optimizers(ranks: Int) throws {
    let folder = try TemporaryFolder()
    try run(ranks, ["phase=whole"], Self.cases, folder)
    try run(ranks, ["phase=resume"], Self.cases, folder)
    for (number, name) in Self.cases.enumerated() { expectSame(number, name, ranks, stops: 3...3, steps: 6, folder) }
  }

  private static let compressed = [
    "stage-0+one-bit-adam+clip+groups", "stage-0+one-bit-adam+accumulate+fp16+per-step", "stage-0+one-bit-lamb+groups",
    "stage-0+one-bit-lamb+clip+per-epoch", "stage-0+zero-one-adam+groups+clip", "stage-0+zero-one-adam+fp16",
    "stage-0+zero-one-adam+accumulate+per-epoch",
  ]

  /// One step before the warm-up ends, where it ends, and everywhere between meetings.
  @Test("Compressed optimizers at every step", arguments: 1...3)
  func compressed(ranks: Int) throws {
    let folder = try TemporaryFolder()
    let options = ["steps=9", "stops=1:2:3:4:5:6:7:8"]
    try run(ranks, options + ["phase=whole"], Self.compressed, folder)
    try run(ranks, options + ["phase=resume"], Self.compressed, folder)
    for (number, name) in Self.compressed.enumerated() {
      expectSame(number, name, ranks, stops: 1...8, steps: 9, folder)
    }
  }

  @Test("0/1 Adam between two meetings goes on on other numbers of ranks where the mean of its ways leads to")
  func otherSizes() throws {
    let name = "stage-0+zero-one-adam+groups"
    for (ranks, others) in [(3, 2), (3, 1), (2, 3)] {
      let (folder, rest) = (try TemporaryFolder(), try TemporaryFolder())
      try run(ranks, ["phase=whole", "steps=6", "stops=6", "both"], [name], folder)
      try run(others, ["phase=resume", "steps=9", "stops=6", "both", "from=\(folder.path)"], [name], rest)
      let apart = (0..<ranks).map { numbers(lines(folder, name, "saving", $0), "weights") }
      #expect(apart[0].count > 100 && apart[0] != apart[1])
      for form in ["folder", "file"] {
        let starts = (0..<others).map { numbers(lines(rest, name, "6-\(form)", $0), "start") }
        try #require(starts[0].count == apart[0].count)
        for start in starts.dropFirst() { #expect(start == starts[0], "\(ranks) to \(others)") }
        for (index, value) in starts[0].enumerated() {
          let mean = apart.reduce(0) { $0 + $1[index] } / Double(ranks)
          expectClose(value, mean, within: 1e-6, "\(ranks) to \(others), element \(index)")
        }
        let last = lines(rest, name, "6-\(form)", 0).last { $0[0] == "loss" }
        #expect(last?[1] == "8")
      }
    }
  }

  private func numbers(_ lines: [[String]], _ key: String) -> [Double] {
    lines.first { $0[0] == key }?.dropFirst().compactMap { Double($0) } ?? []
  }

  private func run(_ ranks: Int, _ options: [String], _ cases: [String], _ folder: TemporaryFolder) throws {
    try ProbeRun(
      "exact", ranks, options: options + ["cases=\(cases.joined(separator: ","))"], folder: folder
    ).succeeded()
  }

  private func expectSame(
    _ number: Int, _ name: String, _ ranks: Int, stops: ClosedRange<Int>, steps: Int, _ folder: TemporaryFolder
  ) {
    for rank in 0..<ranks {
      let whole = lines(folder, name, "whole", rank)
      #expect(whole.filter { $0[0] == "loss" }.last?[1] == "\(steps - 1)", "\(name)")
      #expect(Set(whole.filter { $0[0] == "loss" }.map { $0[2] }).count >= steps, "\(name): losses change")
      if rank == 0 { #expect(whole.contains { $0[0] == "optimizer_states" }, "\(name)") }
      #expect(lines(folder, name, "saving", rank) == whole, "\(name) while saving, rank \(rank) of \(ranks)")
      for stop in stops {
        let rest = whole.filter { $0[0] != "start" && $0[0] != "loss" || $0[0] == "loss" && Int($0[1]) ?? 0 >= stop }
        let form = (stop + number + ranks) % 2 == 0 ? "folder" : "file"
        let found = lines(folder, name, "\(stop)-\(form)", rank).filter { $0[0] != "start" }
        #expect(found == rest, "\(name) from the \(form) of step \(stop), rank \(rank) of \(ranks)")
      }
    }
  }

  /// Where a run began and what it came to on a rank.
  private func lines(_ folder: TemporaryFolder, _ name: String, _ run: String, _ rank: Int) -> [[String]] {
    folder.text("\(name)/\(run)-\(rank)").split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
  }
}
