import Foundation
import Testing

@Suite("Batches of any type")
struct BatchTransferTests {
  @Test("The hooks of the transfer come in order, in every stage")
  func order() throws {
    let run = try LoopRun("structs", 1, "epochs=1").succeeded()
    let events = run.events().filter { line in
      ["before", "transfer", "after", "step", "validation ", "predict "].contains { line.hasPrefix($0) }
        && !line.hasPrefix("validation epoch") && !line.hasPrefix("predict batch")
    }
    // One is added to the values 0, 1/12, ..., and then they are doubled.
    let first = (0..<6).map { Float(2 * (Double($0) * 2 / 12 + 1)) }
    var expected: [String] = []
    for stage in ["step", "validation", "predict"] {
      for index in 0..<6 { expected += ["before 0", "transfer to cpu", "after 0", "\(stage) \(index)"] }
    }
    #expect(events.map { $0.components(separatedBy: " first")[0] } == expected)
    let values = events.compactMap { $0.components(separatedBy: "first=").dropFirst().first.flatMap { Float($0) } }
    try #require(values.count == 18)
    for (value, expected) in zip(values, first + first + first) { #expect(abs(value - expected) < 1e-6) }
  }
}
