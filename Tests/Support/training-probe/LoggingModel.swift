import Stratagem

/// A model that logs numbers which follow from batch and rank alone, in every way and place there is.
final class LoggingModel: ProbeModel {
  private let spread = Spread()

  /// The number of a batch.
  private func number(_ index: Int) -> Double { Double(index + 10 * (trainer?.rank ?? 0)) }

  private var isZero: Bool { trainer?.isGlobalZero ?? true }

  private func isFault(_ name: String) -> Bool {
    guard let trainer, options["fault"] == name, !trainer.isSanityChecking else { return false }
    return options["rank"].map { $0 == "\(trainer.rank)" } ?? true
  }

  override func trainingStep(_ batch: [Tensor], at index: Int) throws -> StepOutput {
    let value = number(index)
    for reduction in MetricReduction.allCases {
      log("\(reduction)", value, on: [.step, .epoch], reduce: reduction)
    }
    log("weighted", value, on: .epoch, sampleCount: index + 1)
    log("own", value, on: [.step, .epoch], acrossRanks: false)
    log("count", batch[1].count)
    log("hidden", value, logger: false)
    log(dictionary: ["pair/a": value, "pair/b": -value], on: .epoch)
    if isZero { log("zero", value, on: [.step, .epoch], rankZeroOnly: true) }
    spread.update(value)
    log("spread", spread)
    if isFault("other-arguments") { log("mean", value, on: [.step, .epoch], reduce: .sum) }
    if isFault("no-targets") { log("nowhere", value, on: []) }
    if isFault("extra-for-epoch") { log("extra", value, on: .epoch) }
    if isFault("other-reduction") { log("reduced", value, on: .epoch, reduce: trainer?.rank == 1 ? .max : .min) }
    if isFault("object-per-rank"), trainer?.rank == 1 { log("object", Spread()) }
    return .loss(Functional.crossEntropy(self(batch[0]), batch[1]))
  }

  override func validationStep(_ batch: [Tensor], at index: Int) -> StepOutput {
    log("val/value", number(index), on: [.step, .epoch], reduce: .sum)
    return .skipped
  }

  override func predictStep(_ batch: [Tensor], at index: Int) throws -> Tensor? {
    log("predicted", 1)
    return try super.predictStep(batch, at: index)
  }

  override func onTrainStart() { log("start", 5) }
  override func onTrainEpochStart() { log("epoch-start", number(0)) }
  override func onTrainBatchEnd(_ index: Int) { log("after", number(index)) }
  override func onValidationEnd() { log("val/hook", number(0), reduce: .max) }
  override func onTrainEpochEnd() throws {
    log("hook", number(0))
    if isFault("extra-in-hook") { log("hook/extra", 1) }
    if isFault("step-in-hook") { log("late", 1, on: .step) }
    try logText("note", "step \(trainer?.progress.globalStep ?? -1)")
    try logHistogram("fc1.weight", fc1.weight)
  }
  override func onFitEnd() {
    log("end", 6)
    guard let trainer, isZero else { return }
    for (name, value) in trainer.callbackMetrics.sorted(by: { $0.key < $1.key }) { print("callback \(name) \(value)") }
  }
}

/// The difference of the largest and the smallest of all numbers, plus a thousand for each.
private final class Spread: Metric {
  var state = Spread.empty
  private static var empty: MetricState { MetricState(sums: [0], minima: [.infinity], maxima: [-.infinity]) }

  func update(_ number: Double) { state.merge(MetricState(sums: [1], minima: [number], maxima: [number])) }
  func compute(_ state: MetricState) -> Double { state.maxima[0] - state.minima[0] + 1000 * state.sums[0] }
  func reset() { state = Spread.empty }
}
