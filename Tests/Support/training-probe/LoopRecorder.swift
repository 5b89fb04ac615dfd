import Glibc
import Stratagem

/// Notes what the loops do, and acts on them by option.
final class LoopRecorder: Callback {
  private let options: ProbeOptions
  private let events: EventLog
  private var generator = ""

  init(_ options: ProbeOptions, _ events: EventLog) {
    self.options = options
    self.events = events
  }

  override func setup(_ trainer: Trainer, _ stage: Stage) { events.rank = trainer.rank }

  override func onSanityCheckStart(_ trainer: Trainer) {
    generator = (try? Generator.default.state.array(as: UInt8.self).description) ?? ""
    events.note("sanity check")
  }

  override func onSanityCheckEnd(_ trainer: Trainer) {
    let after = (try? Generator.default.state.array(as: UInt8.self).description) ?? ""
    events.note("sanity check over, metrics \(trainer.callbackMetrics.keys.sorted())")
    if options.has("draws") { events.note(after == generator ? "same random state" : "other random state") }
  }

  override func onTrainStart(_ trainer: Trainer) {
    if options.has("draws") {
      let state = (try? Generator.default.state.array(as: UInt8.self).description) ?? ""
      events.note("restored \(state == generator)")
    }
  }

  override func onTrainEpochStart(_ trainer: Trainer) {
    events.note("epoch \(trainer.progress.epoch) accumulate=\(trainer.accumulate)")
  }

  override func onTrainBatchStart(_ trainer: Trainer, _ index: Int) {
    if options["skip-before"] == "\(trainer.progress.epoch):\(index)" { trainer.skipRestOfEpoch() }
  }

  override func onTrainBatchEnd(_ trainer: Trainer, _ index: Int) {
    let progress = trainer.progress
    events.note("batch \(index) step=\(progress.globalStep)" + rate(trainer))
    if options["stop-at"] == "\(progress.epoch):\(index)" { trainer.shouldStop = true }
    if options["skip-after"] == "\(progress.epoch):\(index)" { trainer.skipRestOfEpoch() }
    if options.has("slow") { usleep(50_000) }
  }

  private func rate(_ trainer: Trainer) -> String {
    guard options.has("rates"), let rate = trainer.strategy.optimizer?.parameterGroups[0].learningRate else {
      return ""
    }
    return " rate=\(rate)"
  }

  override func onTrainEpochEnd(_ trainer: Trainer) { events.note("epoch end step=\(trainer.progress.globalStep)") }

  override func onTrainEnd(_ trainer: Trainer) {
    let early = trainer.callbacks.lazy.compactMap { $0 as? EarlyStopping }.first
    events.note(
      "train end epoch=\(trainer.progress.epoch) step=\(trainer.progress.globalStep)"
        + (early.map { " stopped=\($0.stoppedEpoch) wait=\($0.waitCount) best=\($0.bestScore ?? .nan)" } ?? ""))
    if options.has("report-callbacks") {
      events.note("callbacks \(trainer.callbacks.map { "\(type(of: $0))" })")
    }
  }

  override func onFitEnd(_ trainer: Trainer) {
    if options.has("report-statistics"), let norm = (trainer.module as? LoopModel)?.norm {
      events.note("statistics \((try? norm.runningMean?.array(as: Float.self)) ?? [])")
    }
  }

  override func onValidationStart(_ trainer: Trainer) {
    events.note("validation epoch=\(trainer.progress.epoch) batch=\(trainer.progress.batch)")
  }

  override func onValidationBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    if options.has("val-batches") { events.note("validation batch \(loader):\(index)") }
  }

  override func onTestBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    events.note("test batch \(loader):\(index)")
  }

  override func onPredictBatchStart(_ trainer: Trainer, _ index: Int, loader: Int) {
    events.note("predict batch \(index)")
  }
}
