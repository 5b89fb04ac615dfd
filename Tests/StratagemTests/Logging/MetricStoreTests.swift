import Testing

@testable import Stratagem

@Suite struct MetricStoreTests {
  private let strategy = SingleDeviceStrategy()

  private func result(_ reduction: MetricReduction, _ values: [Double], samples: Int? = nil) throws -> Double {
    let store = MetricStore()
    store.begin(defaultTargets: .epoch, epoch: 0)
    for (index, value) in values.enumerated() {
      store.beginBatch(samples: index + 1)
      store.record("a", .double(value), LogOptions(reduction: reduction), sampleCount: samples)
    }
    return try #require(try store.results(strategy).first).value
  }

  @Test func valuesOfBatchesAreReduced() throws {
    #expect(try result(.mean, [3, 6, 1]) == (3 + 12 + 3) / 6)
    #expect(try result(.mean, [3, 6, 1], samples: 1) == 10 / 3)
    #expect(try result(.sum, [3, 6, 1]) == 10)
    #expect(try result(.min, [3, -6, 1]) == -6)
    #expect(try result(.max, [3, -6, 1]) == 3)
  }

  @Test func aNaNIsNotForgotten() throws {
    for reduction in MetricReduction.allCases {
      #expect(try result(reduction, [1, .nan, 2]).isNaN)
      #expect(try result(reduction, [.nan, 1]).isNaN)
    }
    #expect(try result(.max, [1, .infinity]) == .infinity)
    #expect(try result(.min, [-.infinity, 1]) == -.infinity)
  }

  @Test func countsDoNotDependOnTheBatches() throws {
    // 1/3 of 3 samples and 2/7 of 7: exactly 3 of 10.
    let store = MetricStore()
    store.begin(defaultTargets: .epoch, epoch: 0)
    store.beginBatch(samples: 3)
    store.record("a", .double(1 / 3), LogOptions(), sampleCount: nil)
    store.beginBatch(samples: 7)
    store.record("a", .double(2 / 7), LogOptions(), sampleCount: nil)
    #expect(try store.results(strategy).map(\.value) == [0.3])
  }

  @Test func anEpochStartsAgain() throws {
    let store = MetricStore()
    store.begin(defaultTargets: .epoch, epoch: 0)
    for value in [1.0, 5.0] {
      store.beginBatch(samples: 4)
      store.record("a", .double(value), LogOptions(), sampleCount: nil)
      #expect(try store.results(strategy).map(\.value) == [value])
      #expect(try store.results(strategy).isEmpty)
    }
  }

  @Test func namesPartWhenBothAreLogged() throws {
    let entry = MetricEntry(name: "loss", options: LogOptions(), targets: [.step, .epoch])
    #expect(entry.stepName == "loss_step" && entry.epochName == "loss_epoch")
    for targets in [LogTargets.step, .epoch] {
      let entry = MetricEntry(name: "loss", options: LogOptions(), targets: targets)
      #expect(entry.stepName == "loss" && entry.epochName == "loss")
    }
  }

  @Test func severalLoadersHaveNamesOfTheirOwn() throws {
    let store = MetricStore()
    store.begin(defaultTargets: .epoch, epoch: 0)
    for loader in 0..<2 {
      store.suffix = "/dataloader_idx_\(loader)"
      store.beginBatch(samples: 2)
      store.record("a", .double(Double(loader)), LogOptions(), sampleCount: nil)
      store.record("b", .double(Double(loader)), LogOptions(addsLoaderIndex: false), sampleCount: nil)
    }
    let results = try store.results(strategy)
    #expect(results.map(\.name) == ["a/dataloader_idx_0", "b", "a/dataloader_idx_1"])
    #expect(results.map(\.value) == [0, 0.5, 1])
  }

  @Test func aHookAndAStepMayUseTheSameName() throws {
    let store = MetricStore()
    store.begin(defaultTargets: .step, epoch: 0)
    store.beginBatch(samples: 4)
    store.record("a", .double(1), LogOptions(), sampleCount: nil)
    #expect(try store.results(strategy).isEmpty)
    store.record("a", .double(2), LogOptions(), sampleCount: nil)
    #expect(try store.results(strategy).map(\.value) == [2])
  }

  @Test func otherArgumentsAreNamed() throws {
    let store = MetricStore()
    store.begin(defaultTargets: .step, epoch: 0)
    store.beginBatch(samples: 4)
    store.record("a", .double(1), LogOptions(), sampleCount: nil)
    store.record("a", .double(1), LogOptions(targets: .epoch, progressBar: true), sampleCount: nil)
    let error = #expect(throws: ConfigurationError.self) { try store.check() }
    #expect(
      "\(error!)"
        == "'a' was logged with on: [.step], progressBar: false, and now with on: [.epoch], progressBar: true; "
        + "use one set of arguments, or another name")
    try store.check()
  }

  @Test func statesAreMerged() {
    var state = MetricState(sums: [1], minima: [2, .infinity], maxima: [-.infinity])
    state.merge(MetricState(sums: [5], minima: [3, 1], maxima: [7]))
    #expect(state == MetricState(sums: [6], minima: [2, 1], maxima: [7]))
  }
}
