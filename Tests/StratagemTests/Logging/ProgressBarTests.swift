import Foundation
import Synchronization
import Testing

@testable import Stratagem

@Suite struct ProgressBarTests {
  /// A bar whose clock, width and output are in the hands of the test.
  private final class Bench: Sendable {
    let time = Mutex(0.0)
    let width = Mutex(31)
    let output = Mutex("")

    func bar(_ mode: ProgressBar.Mode) -> ProgressBar {
      ProgressBar(
        mode: mode, formatter: ProgressFormatter(isUTF8: false), interval: 0,
        clock: { [self] in time.withLock { $0 } }, width: { [self] in width.withLock { $0 } },
        sink: { [self] text in output.withLock { $0 += text } })
    }

    func pass(_ seconds: Double) { time.withLock { $0 += seconds } }

    /// Returns what was written since the last call.
    func written() -> String {
      output.withLock { output in
        defer { output = "" }
        return output
      }
    }
  }

  @Test func interactiveLinesAreRedrawnInPlace() {
    let bench = Bench()
    let bar = bench.bar(.interactive)
    bar.start(stage: .train, totalBatches: 4, epoch: 0, totalEpochs: 1)
    #expect(bench.written() == "")
    bar.tick()
    #expect(bench.written() == "\rEpoch 1/1 --------------- 0/4\u{1b}[J")
    bar.tick()
    #expect(bench.written() == "")
    bar.advance(batch: 2)
    bar.tick()
    #expect(bench.written() == "\rEpoch 1/1 =======>------- 2/4\u{1b}[J")

    bar.start(stage: .validation, totalBatches: 2)
    bar.tick()
    #expect(
      bench.written() == "\rEpoch 1/1 =======>------- 2/4\u{1b}[K\nValidation --------------- 0/2\u{1b}[J")
    bar.announce("hello")
    #expect(
      bench.written()
        == "\u{1b}[1A\r\u{1b}[Jhello\n\rEpoch 1/1 =======>------- 2/4\u{1b}[K\nValidation --------------- 0/2\u{1b}[J")
    bar.finish()
    #expect(bench.written() == "")
    bar.tick()
    #expect(bench.written() == "\u{1b}[1A\rEpoch 1/1 =======>------- 2/4\u{1b}[J")
    bar.advance(batch: 4)
    bar.finish()
    #expect(bench.written() == "\rEpoch 1/1 =============== 4/4\u{1b}[J\n")
    bar.close()
    #expect(bench.written() == "")
  }

  @Test func aNarrowedTerminalIsClearedOverAllItsRows() {
    let bench = Bench()
    let bar = bench.bar(.interactive)
    bar.start(stage: .train, totalBatches: 4, epoch: 0, totalEpochs: 1)
    bar.tick()
    _ = bench.written()
    // 29 columns now take three rows of 12.
    bench.width.withLock { $0 = 12 }
    bar.tick()
    #expect(bench.written() == "\u{1b}[2A\rEpoch 1/...\u{1b}[J")
  }

  @Test func closingInTheMiddleLeavesTheLine() {
    let bench = Bench()
    let bar = bench.bar(.interactive)
    bar.start(stage: .test, totalBatches: 4)
    bar.tick()
    _ = bench.written()
    bar.close()
    #expect(bench.written() == "\n")
    bar.tick()
    bar.announce("after\n")
    #expect(bench.written() == "after\n")
  }

  @Test func plainLinesComeEveryFiveSecondsAndAtTheEnd() {
    let bench = Bench()
    let bar = bench.bar(.plain)
    bar.start(stage: .train, totalBatches: 100, epoch: 0, totalEpochs: 2)
    for second in 1...12 {
      bench.pass(1)
      bar.advance(batch: second * 8, "loss", 1 / Double(second))
      bar.tick()
    }
    #expect(
      bench.written() == """
        epoch 1/2 40/100 batches, 8.00 it/s, ETA 0:08, run 0:20, loss 0.200
        epoch 1/2 80/100 batches, 8.00 it/s, ETA 0:03, run 0:15, loss 0.100

        """)
    bar.announce("note")
    bar.finish()
    bar.start(stage: .train, totalBatches: 100, epoch: 1, totalEpochs: 2)
    bench.pass(4.9)
    bar.tick()
    #expect(bench.written() == "note\nepoch 1/2 96/100 batches, 8.00 it/s, 0:12, loss 0.083\n")
  }

  @Test func silenceIsSilentButAnnounces() {
    let bench = Bench()
    let bar = bench.bar(.silent)
    bar.start(stage: .train, totalBatches: 1)
    bar.advance(batch: 1, "loss", 1)
    bar.tick()
    bar.finish()
    #expect(bench.written() == "")
    bar.announce("text")
    #expect(bench.written() == "text\n")
  }

  @Test func theThreadDrawsToADescriptorAndEndsWithTheBar() throws {
    let pipe = Pipe()
    do {
      let bar = ProgressBar(mode: .interactive, descriptor: pipe.fileHandleForWriting.fileDescriptor)
      bar.start(stage: .prediction, totalBatches: 3)
      bar.advance(batch: 1)
      // Blocks until the drawing thread has written.
      let drawn = String(decoding: pipe.fileHandleForReading.availableData, as: UTF8.self)
      #expect(drawn.hasPrefix("\rPrediction ") && drawn.contains("1/3"))
      bar.close()
      bar.start(stage: .test, totalBatches: 2)
    }
    try pipe.fileHandleForWriting.close()
    #expect(try pipe.fileHandleForReading.readToEnd().map { String(decoding: $0, as: UTF8.self) } == "\n")
  }

  @Test func modeFollowsTerminalAndEnvironment() {
    func mode(_ isTerminal: Bool, _ environment: [String: String]) -> ProgressBar.Mode {
      .automatic(isTerminal: isTerminal) { environment[$0] }
    }
    #expect(mode(true, ["TERM": "xterm"]) == .interactive)
    #expect(mode(true, ["TERM": "xterm", "CI": "false"]) == .interactive)
    #expect(mode(true, ["TERM": "xterm", "CI": "true"]) == .plain)
    #expect(mode(true, ["TERM": "dumb"]) == .plain)
    #expect(mode(true, [:]) == .plain)
    #expect(mode(false, ["TERM": "xterm"]) == .plain)
    #expect(mode(false, ["STRATAGEM_PROGRESS": "interactive"]) == .interactive)
    #expect(mode(true, ["TERM": "xterm", "STRATAGEM_PROGRESS": "Silent"]) == .silent)
    #expect(mode(true, ["TERM": "xterm", "STRATAGEM_PROGRESS": "other"]) == .interactive)
  }

  @Test func encodingAndColourFollowTheEnvironment() {
    func terminal(_ environment: [String: String]) -> Terminal {
      Terminal(isTerminal: true) { environment[$0] }
    }
    #expect(terminal([:]).isUTF8)
    #expect(terminal(["LANG": "de_DE.utf8"]).isUTF8)
    #expect(!terminal(["LANG": "en_US.UTF-8", "LC_ALL": "C"]).isUTF8)
    #expect(terminal(["LANG": "C", "LC_ALL": "", "LC_CTYPE": "C.UTF-8"]).isUTF8)
    #expect(terminal(["TERM": "xterm"]).usesColor)
    #expect(!terminal(["TERM": "xterm", "NO_COLOR": "1"]).usesColor)
    #expect(!terminal(["TERM": "dumb"]).usesColor)
    #expect(!terminal([:]).usesColor)
  }
}
