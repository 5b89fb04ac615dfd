/// A metric of the stage under way: its value for the batch at hand, and what it has gathered over the epoch.
final class MetricEntry {
  let name: String
  /// With the targets that it has, whoever named them.
  let options: LogOptions
  let targets: LogTargets
  /// The name of the values per batch, and that of the epoch: as in Lightning they part when both are logged.
  let stepName: String
  let epochName: String

  var value: MetricNumber = .double(0)
  /// Whether `value` belongs to the batch at hand and nobody has taken it yet.
  var isFresh = false
  /// Whether it was logged for the last batch that this rank had.
  var isOfLastBatch = false
  /// Whether `value` stands for that of a batch that only other ranks have.
  private(set) var isNeutral = false
  /// Samples in the mean of `value`.
  var stepWeight = 0.0
  /// Whether something was logged since the epoch was last computed.
  var isTouched = false
  /// Over the epoch: the sum (for means that of values times samples), or the extreme value.
  private(set) var total = 0.0
  /// Over the epoch: samples for means, values otherwise.
  private(set) var weight = 0.0
  /// What gathers the metric in place of `total` and `weight`.
  private(set) var metric: (any Metric)?

  init(name: String, options: LogOptions, targets: LogTargets) {
    self.name = name
    self.targets = targets
    var options = options
    options.targets = targets
    self.options = options
    let isForked = targets.contains([.step, .epoch])
    stepName = isForked ? name + "_step" : name
    epochName = isForked ? name + "_epoch" : name
  }

  /// Takes a value of a batch of `samples` samples.
  func take(_ number: MetricNumber, samples: Double) {
    value = number
    stepWeight = samples
    isFresh = true
    isOfLastBatch = true
    isNeutral = false
    guard targets.contains(.epoch) else { return }
    isTouched = true
    let number = number.doubleValue
    switch options.reduction {
    case .mean: add(MetricEntry.total(of: number, samples), samples)
    case .sum, .min, .max: add(number, 1)
    }
  }

  /// Takes a value that changes none of the other ranks'.
  func becomeNeutral() {
    value = options.reduction.neutral
    stepWeight = 0
    isFresh = true
    isNeutral = true
  }

  func take(_ metric: any Metric) {
    isTouched = true
    guard self.metric !== metric else { return }
    // What a checkpoint brought.
    if let earlier = pending { metric.state.merge(earlier) }
    pending = nil
    self.metric = metric
  }

  /// A state from a checkpoint that waits for its metric.
  var pending: MetricState? {
    didSet { isTouched = isTouched || pending != nil }
  }

  /// Takes in what was gathered elsewhere: a total with its weight.
  func add(_ total: Double, _ weight: Double) {
    guard weight > 0 else { return }
    isTouched = true
    switch options.reduction {
    case .mean, .sum: self.total += total
    case .min: self.total = self.weight == 0 ? total : MetricEntry.extreme(self.total, total, <)
    case .max: self.total = self.weight == 0 ? total : MetricEntry.extreme(self.total, total, >)
    }
    self.weight += weight
  }

  /// What was gathered, as numbers to be added up and extreme values.
  var state: MetricState {
    if let metric { return metric.state }
    if let pending { return pending }
    switch options.reduction {
    case .mean, .sum: return MetricState(sums: [total, weight])
    case .min:
      return MetricState(sums: [weight, total.isNaN ? 1 : 0], minima: [weight > 0 && !total.isNaN ? total : .infinity])
    case .max:
      return MetricState(
        sums: [weight, total.isNaN ? 1 : 0], maxima: [weight > 0 && !total.isNaN ? total : -.infinity])
    }
  }

  /// The result of a state.
  func result(_ state: MetricState) -> Double {
    if let metric { return metric.compute(state) }
    return MetricEntry.result(state, options.reduction)
  }

  static func result(_ state: MetricState, _ reduction: MetricReduction) -> Double {
    switch reduction {
    case .mean: state.sums[1] > 0 ? state.sums[0] / state.sums[1] : .nan
    case .sum: state.sums[1] > 0 ? state.sums[0] : .nan
    case .min: state.sums[0] > 0 && state.sums[1] == 0 ? state.minima[0] : .nan
    case .max: state.sums[0] > 0 && state.sums[1] == 0 ? state.maxima[0] : .nan
    }
  }

  /// Starts the epoch again.
  func reset() {
    isTouched = false
    total = 0
    weight = 0
    metric?.reset()
    metric = nil
    pending = nil
  }

  /// The sum over the samples whose mean is `mean`.
  ///
  /// A mean of counts, such as an accuracy k / n, gives back exactly k, so that its mean over the epoch does not depend on
  /// how the samples were dealt into batches and ranks.
  static func total(of mean: Double, _ samples: Double) -> Double {
    let total = mean * samples
    let whole = total.rounded()
    return abs(total - whole) <= 2 * whole.ulp ? whole : total
  }

  private static func extreme(_ old: Double, _ new: Double, _ isBeyond: (Double, Double) -> Bool) -> Double {
    old.isNaN || (!new.isNaN && !isBeyond(new, old)) ? old : new
  }
}
