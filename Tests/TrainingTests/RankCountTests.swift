import Testing
import Torch

@Suite("Going on with other numbers of ranks")
struct RankCountTests {
  @Test(
    "From two ranks to three to one in the middle of epochs: the same samples, learning rates and weights",
    arguments: [("fsdp-units", "sharded"), ("deepspeed-parts", "full"), ("ddp_sharded", "sharded")])
  func chain(strategy: String, form: String) throws {
    let common = ["shuffle", "schedule=cosine", "tied"]
    // An epoch has five steps.
    let stages = "stages=fit,save"
    let whole = try ShardedRun(1, common + ["steps=12", stages])
    let own = common + ["strategy=\(strategy)", "state=\(form)", stages]
    var losses: [Double] = []
    var folders: [TemporaryFolder] = []
    var path: String?
    for (ranks, steps) in [(2, 3), (3, 8), (1, 12)] {
      let others = (ranks == 1 ? ["state=full"] : []) + (path.map { ["resume=\($0)"] } ?? [])
      let run = try ShardedRun(ranks, own + ["steps=\(steps)"] + others)
      losses += try run.losses
      path = "\(run.probe.folder.path)/after.ckpt"
      folders.append(run.probe.folder)
    }
    let expected = try whole.losses
    try #require(losses.count == 12 && expected.count == 12)
    for (step, pair) in zip(losses, expected).enumerated() {
      expectClose(pair.0, pair.1, within: 1e-9, "loss of step \(step)")
    }
    let last = try CheckpointFile(#require(path))
    let other = try CheckpointFile("\(whole.probe.folder.path)/after.ckpt")
    #expect(try largestDifference(last, other) < 1e-8)
    #expect("\(last.contents["lr_schedulers"]!)" == "\(other.contents["lr_schedulers"]!)")
    #expect("\(last.contents["loops"]!)" == "\(other.contents["loops"]!)")
    let rates = [last, other].map {
      $0.contents["optimizer_states"]?.listValue?[0]["param_groups"]?.listValue?[0]["lr"]
    }
    #expect("\(rates[0]!)" == "\(rates[1]!)")
  }

  @Test(
    "Random numbers on other numbers of ranks follow from the checkpoint and the rank alone",
    arguments: ["ddp", "fsdp"])
  func draws(strategy: String) throws {
    let folder = try TemporaryFolder()
    func draws(_ name: String) -> [[String]] {
      folder.text("\(name)/draws").split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
    }
    func run(_ ranks: Int, _ tasks: String, _ seed: Int) throws {
      try ProbeRun(
        "matrix", ranks, options: ["tasks=\(tasks)", "schedule=cosine", "tied", "seed=\(seed)"], folder: folder
      ).succeeded()
    }
    try run(2, "save:\(strategy)", 3)
    let all = Array(draws("save-\(strategy)-2").suffix(4))
    let path = "\(folder.path)/save-\(strategy)-2/folder.ckpt"
    // The seed that a resumed program begins with does not count.
    try run(3, "resume:\(strategy):\(path)", 3)
    let first = draws("resume-0-\(strategy)-3")
    try run(3, "resume:\(strategy):\(path)", 4)
    #expect(draws("resume-0-\(strategy)-3") == first)
    try run(1, "resume:\(strategy):\(path)", 5)
    let alone = draws("resume-0-\(strategy)-1")
    try #require(first.count == 4 && alone.count == 4 && all.count == 4)
    for step in 0..<4 {
      #expect(Array(first[step].prefix(3)) == all[step], "ranks 0 and 1 go on")
      #expect(alone[step] == Array(all[step].prefix(2)), "rank 0 goes on")
    }
    let numbers = first.flatMap { $0.dropFirst() } + draws("save-\(strategy)-2").prefix(8).flatMap { $0.dropFirst() }
    #expect(Set(numbers).count == numbers.count, "the new rank neither repeats others nor what was")
  }

  @Test(
    "Dropout goes on to the bit on as many ranks",
    arguments: [("fsdp", 2), ("deepspeed_stage_3", 3)])
  func dropout(strategy: String, ranks: Int) throws {
    let options = [
      "train=36", "batch=4", "epochs=2", "optimizer=adamw", "lr=0.01", "schedule=cosine", "dropout=0.5", "shuffle",
      "strategy=\(strategy)", "val=-1",
    ]
    let whole = try ProbeRun("fit", ranks, options: options).succeeded()
    let part = try ProbeRun("fit", ranks, options: options + ["steps=\(9 / ranks + 1)", "state=sharded"]).succeeded()
    let path = "\(part.folder.path)/checkpoints/last.ckpt"
    let rest = try ProbeRun("fit", ranks, options: options + ["resume=\(path)"], folder: part.folder).succeeded()
    #expect(rest.weightSums == whole.weightSums && !whole.weightSums.isEmpty)
    #expect(rest.folder.text("metrics.csv") == whole.folder.text("metrics.csv"))
  }
}
