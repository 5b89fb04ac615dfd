import Foundation
import Testing

/// `LoggingModel` of the probe logs `index + 10 * rank` in batch `index`.
@Suite("What log makes of values")
struct LogTests {
  private func callbacks(_ run: ProbeRun) -> [String: Double] {
    var values: [String: Double] = [:]
    for line in run.run.outputLines where line.hasPrefix("callback ") {
      let parts = line.split(separator: " ")
      values[String(parts[1])] = Double(parts[2])
    }
    return values
  }

  @Test("Over the batches of an epoch and across ranks", arguments: [1, 2, 3])
  func epoch(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "model=logging", "epochs=2", "train=24", "val=-1").succeeded()
    let batches = 24 / 4 / ranks
    let all = (0..<ranks).flatMap { rank in (0..<batches).map { Double($0 + 10 * rank) } }
    let own = (0..<batches).map(Double.init)
    let metrics = try run.metrics
    func expect(_ name: String, _ value: Double) throws {
      #expect(try metrics.values(name) == [value, value], "\(name)")
      #expect(try metrics.rows(name).map(\.step) == [batches - 1, 2 * batches - 1], "\(name)")
    }
    let mean = all.reduce(0, +) / Double(all.count)
    try expect("mean_epoch", mean)
    try expect("sum_epoch", all.reduce(0, +))
    try expect("min_epoch", 0)
    try expect("max_epoch", all.max() ?? .nan)
    try expect("own_epoch", own.reduce(0, +) / Double(batches))
    try expect("zero_epoch", own.reduce(0, +) / Double(batches))
    try expect("spread", (all.max() ?? .nan) + 1000 * Double(all.count))
    try expect("pair/a", mean)
    try expect("pair/b", -mean)
    try expect("hook", (0..<ranks).map { 10 * Double($0) }.reduce(0, +) / Double(ranks))
    try expect("epoch-start", (0..<ranks).map { 10 * Double($0) }.reduce(0, +) / Double(ranks))
    let weights = (0..<ranks).flatMap { _ in (0..<batches).map { Double($0 + 1) } }
    try expect("weighted", zip(all, weights).map(*).reduce(0, +) / weights.reduce(0, +))
  }

  @Test("Values per batch across ranks", arguments: [1, 2, 3])
  func steps(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "model=logging", "epochs=1", "train=24", "val=-1").succeeded()
    let batches = 24 / 4 / ranks
    let metrics = try run.metrics
    let perBatch = (0..<batches).map { index in (0..<ranks).map { Double(index + 10 * $0) } }
    #expect(try metrics.values("mean_step") == perBatch.map { $0.reduce(0, +) / Double(ranks) })
    #expect(try metrics.values("sum_step") == perBatch.map { $0.reduce(0, +) })
    #expect(try metrics.values("min_step") == perBatch.map { $0[0] })
    #expect(try metrics.values("max_step") == perBatch.map { $0[ranks - 1] })
    #expect(try metrics.values("own_step") == (0..<batches).map(Double.init))
    #expect(try metrics.values("zero_step") == (0..<batches).map(Double.init))
    #expect(try metrics.values("count") == Array(repeating: 4, count: batches))
    #expect(try metrics.rows("mean_step").map(\.step) == Array(0..<batches))
    // What a hook after the step logs stands in the row of the step.
    #expect(try metrics.values("after") == perBatch.map { $0.reduce(0, +) / Double(ranks) })
    #expect(metrics.lines.count == batches + 4, "steps, start, epoch, its hooks, end")
    #expect(!metrics.header.contains("hidden"))
    #expect(try metrics.values("start") == [5])
    #expect(try metrics.values("end") == [6])
  }

  @Test("What callbacks find, and under which names", arguments: [1, 2])
  func callbackMetrics(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "model=logging", "epochs=1", "train=16", "val=8").succeeded()
    let batches = 16 / 4 / ranks
    let last = Double(batches - 1)
    let found = callbacks(run)
    #expect(found["sum_step"] == last)
    #expect(found["sum_epoch"] == found["sum"])
    let numbers = (0..<ranks).flatMap { rank in (0..<batches).map { Double($0 + 10 * rank) } }
    #expect(found["sum"] == numbers.reduce(0, +))
    #expect(found["hidden"] == last)
    #expect(found["count"] == 4)
    #expect(found["spread"] == found["max_epoch"]! + 1000 * Double(batches * ranks))
    #expect(found["val/value"] == (ranks == 1 ? 1 : 10))
    #expect(found["val/value_epoch"] == found["val/value"])
    #expect(found["val/hook"] == Double(10 * (ranks - 1)))
    #expect(found["end"] == 6)
    // Batches of an evaluation count on their own; the rows are those of rank 0.
    #expect(try run.metrics.rows("val/value_step").map(\.text) == (ranks == 1 ? ["0.0", "1.0"] : ["0.0"]))
  }

  @Test("Metrics that ranks log differently end the run instead of blocking it", arguments: [2, 3])
  func disagreements(ranks: Int) throws {
    let cases = [
      ("extra-for-epoch", "the ranks logged different metrics: rank 1 differs in extra; "),
      ("extra-in-hook", "the ranks logged different metrics: rank 1 differs in hook/extra; "),
      ("object-per-rank", "the ranks logged different metrics: rank 1 differs in object; "),
    ]
    for (fault, message) in cases {
      let run = try ProbeRun(
        "fit", ranks, "model=logging", "epochs=1", "train=24", "val=-1", "fault=\(fault)", "rank=1")
      #expect(run.status == 1)
      #expect(run.failure.hasPrefix(message), "\(fault): \(run.failure)")
    }
    let run = try ProbeRun("fit", ranks, "model=logging", "epochs=1", "train=24", "val=-1", "fault=other-reduction")
    #expect(run.status == 1)
    #expect(
      run.failure == "rank 1 logged 'reduced' with reduce: .max, other ranks with reduce: .min; use the same arguments "
        + "on every rank")
  }

  @Test("Calls that cannot be answered", arguments: [1, 2])
  func refusals(ranks: Int) throws {
    let cases = [
      (
        "other-arguments",
        "'mean' was logged with reduce: .mean, and now with reduce: .sum; use one set of arguments, or another name"
      ),
      (
        "no-targets",
        "'nowhere' is logged neither per step nor per epoch (on: []); give on: .step, on: .epoch or both of them"
      ),
      (
        "step-in-hook",
        "'late' is logged with on: .step between batches, where there is no step; leave `on` out, or log it in a step"
      ),
    ]
    for (fault, message) in cases {
      let run = try ProbeRun(
        "fit", ranks, "model=logging", "epochs=1", "train=24", "val=-1", "fault=\(fault)", "rank=0")
      #expect(run.status == 1)
      #expect(run.failure == message)
    }
    let prediction = try ProbeRun("predict", ranks, "model=logging")
    #expect(prediction.status == 1)
    #expect(
      prediction.run.errors.contains(
        "'predicted' is logged during prediction, where nothing is logged; log in a training, validation or test step"))
  }

  @Test("Values that wait for the other ranks are not lost with a run that fails", arguments: [1, 2])
  func failure(ranks: Int) throws {
    let run = try ProbeRun("fit", ranks, "epochs=1", "train=80", "val=-1", "fault=nan", "at=7")
    #expect(run.status == 1)
    #expect(try run.metrics.rows("train/loss").map(\.step) == Array(0..<7))
  }

  @Test("A metric object and sums over an epoch go on where a checkpoint was written", arguments: [1, 2])
  func resuming(ranks: Int) throws {
    let options = ["model=logging", "train=24", "val=-1", "checkpoints=no", "every-steps=2", "keep=-1"]
    let whole = try ProbeRun("fit", ranks, options: options + ["epochs=1"]).succeeded()
    let first = try ProbeRun("fit", ranks, options: options + ["steps=2"]).succeeded()
    let path = try #require(first.folder.names(in: "checkpoints").first { $0.hasSuffix(".ckpt") })
    let second = try ProbeRun(
      "fit", ranks, options: options + ["epochs=1", "resume=\(first.folder.path)/checkpoints/\(path)"],
      folder: first.folder
    ).succeeded()
    for name in ["mean_epoch", "sum_epoch", "min_epoch", "max_epoch", "spread", "weighted", "zero_epoch"] {
      #expect(try second.metrics.rows(name) == (try whole.metrics.rows(name)), "\(name)")
    }
  }

  @Test("The monitors of learning rates and of the device", arguments: [1, 2])
  func monitors(ranks: Int) throws {
    let run = try ProbeRun(
      "fit", ranks, "monitors", "schedule=step", "lr=0.5", "epochs=3", "train=24", "val=-1"
    ).succeeded()
    let metrics = try run.metrics
    // The schedule advances with epochs, and so does what is logged.
    #expect(try metrics.values("lr-SGD") == [0.5, 0.25, 0.125])
    #expect(try metrics.values("lr-SGD-momentum") == [0.9, 0.9, 0.9])
    #expect(try metrics.values("lr-SGD-weight_decay") == [0, 0, 0])
    let steps = 3 * 24 / 4 / ranks
    for moment in ["on_train_batch_start", "on_train_batch_end"] {
      let memory = try metrics.values("DeviceStatsMonitor.\(moment)/memory_mib")
      #expect(memory.count == steps)
      #expect(memory.allSatisfy { $0 > 10 && $0 < 10_000 })
      #expect(try metrics.values("DeviceStatsMonitor.\(moment)/threads").allSatisfy { $0 >= 1 })
      #expect(try metrics.values("DeviceStatsMonitor.\(moment)/cpu_percent").allSatisfy { $0 >= 0 })
    }
    #expect(run.run.errors.components(separatedBy: "trainable parameters").count == 3, "the summary, once")
    let steady = try ProbeRun("fit", ranks, "monitors", "epochs=1", "train=24", "val=-1").succeeded()
    // Without a schedule the rate stands in every row.
    #expect(try steady.metrics.values("lr-SGD").count == 24 / 4 / ranks + 1)
  }
}
