/// The text at the end of a run: results, where the files are, and how fast it was.
///
/// ```
/// ┏━━━━━━━━━━━━━━━━━┳━━━━━━━━━━━━━━┓
/// ...
/// best checkpoint  runs/digits/epoch=9-step=470.ckpt  (val/accuracy 0.92)
/// last checkpoint  runs/digits/last.ckpt
/// metrics          runs/digits/metrics.csv
/// 470 steps in 0.42 s (1119 steps/s) on 2 processes
/// ```
public struct RunReport: Sendable {
  /// The results of the last evaluation.
  public var results: ResultTable?
  /// Files to be pointed out, in order: what it is, its path, and a remark or `nil`.
  public var files: [(label: String, path: String, remark: String?)]
  /// Optimizer steps done in this run.
  public var steps: Int
  /// Seconds of training.
  public var seconds: Double
  /// Processes that took part.
  public var processes: Int
  /// What made the run end early, as a sentence; `nil` when it reached its end.
  public var ending: String?

  /// Makes a report.
  public init(
    results: ResultTable? = nil, files: [(label: String, path: String, remark: String?)] = [], steps: Int,
    seconds: Double, processes: Int = 1, ending: String? = nil
  ) {
    self.results = results
    self.files = files
    self.steps = steps
    self.seconds = seconds
    self.processes = processes
    self.ending = ending
  }

  /// Returns the report, each line ending in a line break; `width` limits the table only, paths are never cut.
  public func text(width: Int? = nil, isUTF8: Bool = true) -> String {
    var text = results?.text(width: width, isUTF8: isUTF8) ?? ""
    let labelWidth = files.reduce(0) { max($0, DisplayText.width($1.label)) }
    for file in files {
      text += DisplayText.padded(file.label, to: labelWidth, .left) + "  " + file.path
      text += file.remark.map { "  (\($0))" } ?? ""
      text += "\n"
    }
    if let ending { text += ending + "\n" }
    if steps > 0 {
      text += "\(steps) \(steps == 1 ? "step" : "steps") in \(NumberText.elapsed(seconds))"
      if seconds > 0 {
        text += " (" + NumberText.rate(Double(steps) / seconds, unit: "steps/s", inverse: "s/step") + ")"
      }
      text += processes > 1 ? " on \(processes) processes\n" : "\n"
    }
    return text
  }
}
