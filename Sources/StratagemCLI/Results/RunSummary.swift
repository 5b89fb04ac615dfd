internal import Stratagem

/// What a verb has to say at its end: a line of JSON, or a table and the paths of the files.
struct RunSummary {
  /// The progress of a fit.
  struct Training {
    /// Optimizer steps and seconds of this run; what came before a resume does not count.
    var steps: Int
    var seconds: Double
    /// Optimizer steps and epochs in all.
    var totalSteps: Int
    var epochs: Int
  }

  var stage: Stage
  var metrics: [String: Double]
  /// Samples that were evaluated.
  var samples: Int
  /// Seconds of the evaluation; those of `training` when there was one.
  var seconds = 0.0
  var training: Training?
  var processes = 1
  /// The best checkpoint, and why it is the best, such as `val/accuracy 0.92`.
  var best: (path: String, remark: String)?
  var checkpoint: String?
  var metricsFile: String?
  var predictions: String?

  private var sortedMetrics: [(name: String, value: Double)] {
    metrics.sorted { $0.key < $1.key }.map { (name: $0.key, value: $0.value) }
  }

  /// The results as one line of JSON, without a line break.
  var json: String {
    var members: [(name: String, value: JSONScalar)] = sortedMetrics.map { ($0.name, .double($0.value)) }
    members.append(("samples", .int(samples)))
    members.append(("seconds", .double(training?.seconds ?? seconds)))
    if let training {
      let rate = training.seconds > 0 ? Double(training.steps) / training.seconds : 0
      members.append(("steps_per_second", .double(rate)))
      members.append(("steps", .int(training.totalSteps)))
      members.append(("epochs", .int(training.epochs)))
      members.append(("checkpoint", checkpoint.map { .string($0) } ?? .null))
      members.append(("metrics", metricsFile.map { .string($0) } ?? .null))
    }
    if stage == .predict { members.append(("predictions", predictions.map { .string($0) } ?? .null)) }
    return JSONLine.text(members)
  }

  /// The results for people, each line ending in a line break.
  func report(width: Int? = nil, isUTF8: Bool = true) -> String {
    let table = ResultTable(
      verb: stage == .test ? "Test" : "Validate", metrics: sortedMetrics.map { ($0.name, .double($0.value)) })
    var files: [(label: String, path: String, remark: String?)] = []
    if let best { files.append(("best checkpoint", best.path, best.remark)) }
    if let checkpoint { files.append(("last checkpoint", checkpoint, nil)) }
    if let metricsFile { files.append(("metrics", metricsFile, nil)) }
    if let predictions { files.append(("predictions", predictions, nil)) }
    var text = RunReport(
      results: metrics.isEmpty ? nil : table, files: files, steps: training?.steps ?? 0,
      seconds: training?.seconds ?? 0, processes: processes
    ).text(width: width, isUTF8: isUTF8)
    if training == nil { text += "\(samples) samples\(processes > 1 ? " on \(processes) processes" : "")\n" }
    return text
  }

  /// Prints the results on standard output.
  func write(asJSON: Bool) {
    if asJSON { return print(json) }
    let terminal = Terminal(descriptor: 1)
    print(report(width: terminal.isTerminal ? Terminal.width(of: 1) : nil, isUTF8: terminal.isUTF8), terminator: "")
  }
}
