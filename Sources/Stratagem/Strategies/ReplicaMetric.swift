/// What one replica logged in a step.
struct ReplicaMetric {
  enum Value {
    case number(MetricNumber)
    /// An object that all replicas share.
    case metric(any Metric)
  }

  let name: String
  let value: Value
  let options: LogOptions
  let sampleCount: Int

  /// What one model would have logged for the whole batch, in the order of replica 0 and then of what only later replicas
  /// logged: means weighted by samples, sums, extremes, as each was asked for.
  ///
  /// A name that a step logs several times is merged call by call.
  static func merged(_ replicas: [[ReplicaMetric]]) -> [ReplicaMetric] {
    guard let first = replicas.first else { return [] }
    // Nearly always all replicas log the same names in the same order.
    if replicas.allSatisfy({ $0.count == first.count && zip($0, first).allSatisfy { $0.name == $1.name } }) {
      return first.indices.map { position in one(of: replicas.map { $0[position] }) }
    }
    var order: [Call] = []
    var members: [Call: [ReplicaMetric]] = [:]
    for metrics in replicas {
      var calls: [String: Int] = [:]
      for metric in metrics {
        let call = Call(name: metric.name, number: calls[metric.name, default: 0])
        calls[metric.name] = call.number + 1
        if members[call] == nil { order.append(call) }
        members[call, default: []].append(metric)
      }
    }
    return order.compactMap { members[$0] }.map(one)
  }

  private struct Call: Hashable {
    let name: String
    let number: Int
  }

  /// - Parameter metrics: at least one.
  private static func one(of metrics: [ReplicaMetric]) -> ReplicaMetric {
    let first = metrics[0]
    let numbers = metrics.compactMap { metric -> (value: MetricNumber, samples: Int)? in
      guard case .number(let number) = metric.value else { return nil }
      return (number, metric.sampleCount)
    }
    guard numbers.count == metrics.count, numbers.count > 1 else { return first }
    let values = numbers.map(\.value.doubleValue)
    let samples = numbers.reduce(0) { $0 + $1.samples }
    let value =
      switch first.options.reduction {
      case .mean: mean(numbers.map { ($0.value.doubleValue, $0.samples) }, samples)
      case .sum: values.reduce(0, +)
      case .min: values.contains { $0.isNaN } ? .nan : values.min() ?? .nan
      case .max: values.contains { $0.isNaN } ? .nan : values.max() ?? .nan
      }
    let areFloats = numbers.allSatisfy { if case .float = $0.value { true } else { false } }
    return ReplicaMetric(
      name: first.name, value: .number(areFloats ? .float(Float(value)) : .double(value)), options: first.options,
      sampleCount: samples)
  }

  private static func mean(_ numbers: [(value: Double, samples: Int)], _ samples: Int) -> Double {
    guard samples > 0 else { return numbers.reduce(0) { $0 + $1.value } / Double(numbers.count) }
    return numbers.reduce(0) { $0 + MetricEntry.total(of: $1.value, Double($1.samples)) } / Double(samples)
  }
}
