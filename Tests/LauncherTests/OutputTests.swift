import Testing

@testable import Stratagem

@Suite("Output of workers")
struct OutputTests {
  @Test("Ten thousand lines of three ranks arrive whole, tagged and in order")
  func manyLines() throws {
    let count = 10_000
    let run = try ProbeRun("output", processes: 3, argument: "\(count)")
    #expect(run.status == 0)
    var next = [0, 0, 0]
    for line in run.lines {
      let rank = line.hasPrefix("[rank 1] ") ? 1 : line.hasPrefix("[rank 2] ") ? 2 : 0
      let number = next[rank]
      let text = "rank \(rank) line \(number) " + String(repeating: "\(rank)", count: number % 97) + " end"
      try #require(line == (rank == 0 ? "" : "[rank \(rank)] ") + text)
      next[rank] += 1
    }
    #expect(next == [count, count, count])
    for rank in 1...2 {
      #expect(run.errorLines.filter { $0.hasPrefix("[rank \(rank)] rank \(rank) line ") }.count == count / 10)
    }
  }

  @Test("A last line without newline is printed")
  func partialLine() throws {
    let run = try ProbeRun("partial-line", processes: 3)
    #expect(run.status == 0)
    #expect(run.output == "[rank 1] whole line\n[rank 1] no newline\n")
  }

  @Test("A very long line comes in pieces, and whole")
  func longLine() throws {
    let run = try ProbeRun("long-line", processes: 2)
    #expect(run.lines.count == 4)
    let joined = run.lines.map { $0.dropFirst("[rank 1] ".count) }.joined()
    #expect(joined == String(repeating: "x", count: 200_000) + "!")
  }

  @Test("Lines are cut at newlines wherever the pieces end")
  func splitting() {
    var splitter = LineSplitter()
    #expect(splitter.lines(adding: Array("a\r\nb".utf8)) == [Array("a".utf8)])
    #expect(splitter.lines(adding: Array("c\n\nd".utf8)) == [Array("bc".utf8), []])
    #expect(splitter.lines(adding: []) == [])
    #expect(splitter.rest() == Array("d".utf8))
    #expect(splitter.rest() == nil)
  }

  @Test("Long lines are cut between characters")
  func cutting() {
    var splitter = LineSplitter()
    let text = "a" + String(repeating: "é", count: LineSplitter.longestLine)
    let pieces = splitter.lines(adding: Array((text + "\n").utf8))
    #expect(pieces.count == 3)
    #expect(pieces.allSatisfy { String(validating: $0, as: UTF8.self) != nil })
    #expect(pieces.map { String(decoding: $0, as: UTF8.self) }.joined() == text)
  }

  @Test("Tags are coloured on terminals only")
  func tags() {
    #expect(WorkerOutputTag.text(rank: 12, colored: false) == "[rank 12] ")
    #expect(WorkerOutputTag.text(rank: 1, colored: true) == "\u{1B}[36m[rank 1]\u{1B}[0m ")
  }

  @Test(
    "Reports survive the way through the pipe",
    arguments: [
      "", "plain", "two\nlines\ttab", "quote \" backslash \\ slash /", "nul \u{0} bell \u{7} é 💥", "{\"rank\":9}",
    ])
  func reports(message: String) {
    for kind in [WorkerReport.Kind.error, .communication] {
      let report = WorkerReport(rank: 3, kind: kind, message: message)
      let line = report.encoded()
      #expect(!line.contains("\n"))
      #expect(WorkerReport(decoding: Array(line.utf8)) == report)
    }
  }

  @Test("Reports are plain JSON, and other text is no report")
  func reportFormat() {
    #expect(
      WorkerReport(rank: 1, kind: .error, message: "a\"b").encoded()
        == #"{"rank":1,"kind":"error","message":"a\"b"}"#)
    let spaced = #" { "message" : "\u00e9\/" , "rank" : 2 , "kind" : "communication" } "#
    #expect(
      WorkerReport(decoding: Array(spaced.utf8)) == WorkerReport(rank: 2, kind: .communication, message: "é/"))
    for text in ["", "{}", "{\"rank\":1}", "{\"rank\":1,\"kind\":\"other\",\"message\":\"\"}", "{\"rank", "[1]"] {
      #expect(WorkerReport(decoding: Array(text.utf8)) == nil)
    }
  }

  @Test("A huge message keeps its beginning and end")
  func hugeReport() throws {
    let message = "begin " + String(repeating: "x", count: 100_000) + " end"
    let report = try #require(
      WorkerReport(decoding: Array(WorkerReport(rank: 1, kind: .error, message: message).encoded().utf8)))
    #expect(report.message.hasPrefix("begin "))
    #expect(report.message.hasSuffix(" end"))
    #expect(report.message.contains("characters left out"))
    #expect(report.message.count < 2 * WorkerReport.messageLimit)
  }
}
