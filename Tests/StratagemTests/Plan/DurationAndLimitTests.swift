import Stratagem
import Testing

@Suite("Durations and limits")
struct DurationAndLimitTests {
  @Test(
    "a duration is read and printed",
    arguments: [
      ("5ep", TrainingDuration.epochs(5), "5ep"), ("100st", .steps(100), "100st"),
      ("10_000 st", .steps(10_000), "10000st"),
      ("1000SP", .samples(1000), "1000sp"), ("90s", .time(90), "90s"), ("0.5s", .seconds(0.5), "0.5s"),
      ("1.5m", .minutes(1.5), "90s"), ("2h", .hours(2), "7200s"), ("1d", .time(86400), "86400s"),
      ("00:12:30:05", .time(45005), "45005s"), ("0ep", .epochs(0), "0ep"),
    ])
  func durations(_ text: String, _ duration: TrainingDuration, _ printed: String) throws {
    #expect(try TrainingDuration(parsing: text) == duration)
    #expect(duration.description == printed)
    #expect(try TrainingDuration(parsing: printed) == duration)
  }

  @Test(
    "what is no duration",
    arguments: [
      "", "5", "ep", "-5ep", "5 epochs", "1.5ep", "5.0st", "12:30", "1:2:3:x", "::: ", "99999999999999999999ep",
    ])
  func noDuration(_ text: String) {
    #expect(throws: ConfigurationError.self) { try TrainingDuration(parsing: text) }
  }

  @Test("a duration is reached at its amount, not before")
  func reached() {
    let reached = { (duration: TrainingDuration, amount: Int) in
      switch duration {
      case .epochs: duration.isReached(epochs: amount, steps: 0, samples: 0, seconds: 0)
      case .steps: duration.isReached(epochs: 0, steps: amount, samples: 0, seconds: 0)
      case .samples: duration.isReached(epochs: 0, steps: 0, samples: amount, seconds: 0)
      case .time: duration.isReached(epochs: 0, steps: 0, samples: 0, seconds: Double(amount))
      }
    }
    for duration in [TrainingDuration.epochs(3), .steps(3), .samples(3), .time(3)] {
      #expect(!reached(duration, 2))
      #expect(reached(duration, 3))
      #expect(reached(duration, 4))
    }
  }

  @Test(
    "how many batches a limit leaves",
    arguments: [
      (Limit.all, 10, 10), (3, 10, 3), (30, 10, 10), (0, 10, 0), (1, 10, 1), (1.0, 10, 10), (0.5, 10, 5), (0.25, 10, 2),
      (0.0, 10, 0), (0.1, 10, 1), (0.99, 10, 9), (.all, nil, nil), (7, nil, 7), (1.0, nil, nil), (0.0, nil, 0),
      (0.5, 0, 0),
    ] as [(Limit, Int?, Int?)])
  func counts(_ limit: Limit, _ length: Int?, _ count: Int?) throws {
    #expect(try limit.count(of: length) == count)
  }

  @Test("a fraction of less than one batch is refused with one that is enough")
  func tooSmall() throws {
    #expect(
      throws: ConfigurationError(
        "limit", "limit: 0.05 of 10 batches is less than one batch",
        suggestion: "write at least 0.1, or a number of batches such as 1")
    ) { try Limit.fraction(0.05).count(of: 10) }
    for length in 2...300 {
      do throws(ConfigurationError) {
        _ = try Limit.fraction(1e-6).count(of: length)
        Issue.record("no error for \(length)")
      } catch {
        let suggestion = error.problems[0].suggestion ?? ""
        let fraction = try #require(Double(suggestion.dropFirst("write at least ".count).prefix { $0 != "," }))
        #expect(try Limit.fraction(fraction).count(of: length) == 1)
      }
    }
  }

  @Test("a fraction needs a length, and every limit a range")
  func refused() {
    #expect(throws: ConfigurationError.self) { try Limit.fraction(0.5).count(of: nil) }
    for limit in [Limit.fraction(1.5), .fraction(-0.1), .fraction(.nan), .batches(-1)] {
      #expect(throws: ConfigurationError.self) { try limit.count(of: 10) }
    }
  }

  @Test(
    "a limit is read and printed",
    arguments: [
      ("all", Limit.all, "all"), ("10", 10, "10"), ("0.25", 0.25, "0.25"), ("25%", 0.25, "0.25"), ("1.0", 1.0, "1.0"),
    ])
  func limits(_ text: String, _ limit: Limit, _ printed: String) throws {
    #expect(try Limit(parsing: text) == limit)
    #expect("\(limit)" == printed)
  }

  @Test("what is no limit", arguments: ["", "some", "-1", "1.5", "200%", "%", "ten"])
  func noLimit(_ text: String) {
    #expect(throws: ConfigurationError.self) { try Limit(parsing: text, parameter: "limitTrainBatches") }
  }
}
