import Testing

@testable import Stratagem

@Suite struct NumberTextTests {
  @Test(arguments: [
    (0, "0.000"), (0.21349, "0.213"), (-1.5, "-1.500"), (999.9, "999.900"), (1234.56, "1234.6"), (0.0001, "0.0001"),
    (-0.0000123, "-1.23e-05"), (1e6, "1e+06"), (1e300, "1e+300"), (.nan, "nan"), (-.nan, "nan"), (-.infinity, "-inf"),
  ]) func metrics(value: Double, text: String) {
    #expect(NumberText.metric(value) == text)
  }

  @Test(arguments: [
    (2134.4, "2134 it/s"), (99.94, "99.9 it/s"), (9.876, "9.88 it/s"), (0.5, "2.00 s/it"), (0.01, "100.0 s/it"),
    (0, "? it/s"), (.infinity, "? it/s"), (.nan, "? it/s"), (1e-300, "1000000000000.0 s/it"),
  ]) func rates(value: Double, text: String) {
    #expect(NumberText.rate(value) == text)
  }

  @Test(arguments: [
    (0, "0:00"), (0.1, "0:01"), (61, "1:01"), (3599.5, "1:00:00"), (3909, "1:05:09"), (183_845, "2d 03:04:05"),
    (-1, "?"), (.infinity, "?"), (.nan, "?"),
  ]) func remainingTimes(value: Double, text: String) {
    #expect(NumberText.remaining(value) == text)
  }

  @Test(arguments: [(0, "0.00 s"), (0.4249, "0.42 s"), (9.99, "9.99 s"), (9.996, "0:10"), (3909, "1:05:09")])
  func elapsedTimes(value: Double, text: String) {
    #expect(NumberText.elapsed(value) == text)
  }
}
