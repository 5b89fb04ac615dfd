import Foundation
import Testing

@Suite("Wrong data: file, line and column")
struct BadDataTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    /// Changes the cells of a line of the file, the header being line 1.
    let line: Int
    let change: @Sendable (inout [String]) -> Void
    let message: String
  }

  static let cases = [
    Case(testDescription: "too few columns", line: 7, change: { $0.removeLast() }, message: ":7: "),
    Case(testDescription: "too many columns", line: 1700, change: { $0.append("3") }, message: ":1700: "),
    Case(
      testDescription: "a cell that is no number", line: 12, change: { $0[3] = "x9" }, message: ":12: column 4 'p3': "),
    Case(testDescription: "an empty cell", line: 13, change: { $0[0] = "" }, message: ":13: column 1 'p0': "),
    Case(
      testDescription: "a label out of range", line: 21, change: { $0[64] = "10" }, message: ":21: column 65 'label': "),
    Case(
      testDescription: "a label that is no whole number", line: 22, change: { $0[64] = "1.5" },
      message: ":22: column 65 'label': "),
  ]

  @Test("A cell that does not fit", arguments: cases)
  func cell(wrong: Case) throws {
    let folder = try TemporaryFolder()
    var lines = try DigitLabels.text().split(separator: "\n").map(String.init)
    var cells = lines[wrong.line - 1].split(separator: ",", omittingEmptySubsequences: false).map(String.init)
    wrong.change(&cells)
    lines[wrong.line - 1] = cells.joined(separator: ",")
    try folder.write(lines.joined(separator: "\n") + "\n", to: "digits.csv")
    let run = try ProgramRun(
      "digits", ["fit", "--data", "\(folder.path)/digits.csv", "--output", "\(folder.path)/run", "--devices", "2"])
    #expect(run.status == 1)
    #expect(run.failure.hasPrefix("\(folder.path)/digits.csv\(wrong.message)"), "\(run.errors)")
    #expect(run.errorLines.count == 1, "nothing was started")
    #expect(folder.names() == ["digits.csv"])
  }

  @Test("A file that is not there, and one without rows")
  func file() throws {
    let folder = try TemporaryFolder()
    let absent = try ProgramRun("digits", ["validate", "--data", "\(folder.path)/none.csv"])
    #expect(absent.status == 1)
    #expect(absent.failure.contains("\(folder.path)/none.csv") && absent.failure.contains("No such file"))
    try folder.write("p0,label\n", to: "empty.csv")
    let empty = try ProgramRun("digits", ["validate", "--data", "\(folder.path)/empty.csv"])
    #expect(empty.status == 1)
    #expect(empty.failure.hasPrefix("\(folder.path)/empty.csv"))
    #expect(empty.errorLines.count == 1)
  }
}
