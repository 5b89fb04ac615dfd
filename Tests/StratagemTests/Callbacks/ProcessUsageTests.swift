import Testing

@testable import Stratagem

@Suite struct ProcessUsageTests {
  private let fields = "S 1 2 3 4 5 6 7 8 9 10 250 50 0 0 20 0 7 0 99"

  @Test func theFilesOfProc() throws {
    let usage = try #require(
      ProcessUsage(stat: "42 (a (b) c) \(fields)", statm: "1000 256 10", loadAverage: "0.50 0.4 0.3 1/2 3", time: 10))
    #expect(usage.processorSeconds == 3)
    #expect(usage.residentBytes == 256 * 4096)
    #expect(usage.threads == 7)
    #expect(usage.loadAverage == 0.5)
    let later = try #require(
      ProcessUsage(
        stat: "42 (a) \(fields.replacing("250", with: "400"))", statm: "1 2", loadAverage: "", time: 11))
    #expect(later.percent(since: usage) == 150)
    #expect(later.percent(since: nil) == 0)
    #expect(ProcessUsage(stat: "", statm: "1 2", loadAverage: "", time: 0) == nil)
    #expect(ProcessUsage(stat: "42 (a) S 1 2", statm: "1 2", loadAverage: "", time: 0) == nil)
  }

  @Test func thisProcess() throws {
    let usage = try #require(ProcessUsage.current)
    #expect(usage.residentBytes > 1_000_000)
    #expect(usage.threads >= 1)
  }
}
