import Testing

@testable import Stratagem

@Suite struct ProgressFormatterTests {
  private let ascii = ProgressFormatter(isUTF8: false)
  private let unicode = ProgressFormatter(isUTF8: true)

  private var running: ProgressSnapshot {
    var snapshot = ProgressSnapshot(stage: .train)
    snapshot.epoch = 2
    snapshot.totalEpochs = 10
    snapshot.completed = 31
    snapshot.total = 46
    snapshot.rate = 2134.4
    snapshot.remaining = 1.2
    snapshot.runRemaining = 75
    snapshot.metrics = [("loss", 0.2134), ("val/accuracy", 0.921), ("val/loss", 1.2e-5)]
    return snapshot
  }

  private var finished: ProgressSnapshot {
    var snapshot = running
    (snapshot.completed, snapshot.elapsed, snapshot.isFinished) = (46, 0.0216, true)
    (snapshot.remaining, snapshot.runRemaining) = (nil, nil)
    return snapshot
  }

  @Test func everythingFitsAWideTerminal() {
    #expect(
      unicode.line(running, width: 200)
        == "Epoch  3/10 ━━━━━━━━━━━━━━━━━━━━━━━━━━╸───────────── 31/46 • 2134 it/s • ETA 0:02 • run 1:15 • loss 0.213"
        + " • val/accuracy 0.921 • val/loss 1.2e-05")
    #expect(
      unicode.line(finished, width: 200)
        == "Epoch  3/10 ━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━━ 46/46 • 2134 it/s • 0.02 s • loss 0.213"
        + " • val/accuracy 0.921 • val/loss 1.2e-05")
  }

  @Test func partsAreLeftOutAsTheTerminalNarrows() {
    let expected = [
      (99, "Epoch  3/10 =============>------ 31/46 | 2134 it/s | ETA 0:02 | loss 0.213 | val/accuracy 0.921"),
      (84, "Epoch  3/10 ====================>--------- 31/46 | 2134 it/s | ETA 0:02 | loss 0.213"),
      (60, "Epoch  3/10 ==========>---- 31/46 | ETA 0:02 | loss 0.213"),
      (42, "Epoch  3/10 ======>--- 31/46 | loss 0.213"),
      (35, "Epoch  3/10 ==========>---- 31/46"),
      (20, "Epoch  3/10 31/46"),
      (10, "Epoch  ..."),
      (2, ".."),
    ]
    for (width, line) in expected { #expect(ascii.line(running, width: width) == line) }
    #expect(
      ascii.line(finished, width: 80)
        == "Epoch  3/10 ========================= 46/46 | loss 0.213 | val/accuracy 0.921")
  }

  @Test func noLineIsWiderThanTheTerminal() {
    var wide = running
    wide.metrics.append(("名前", .nan))
    for snapshot in [running, finished, wide, ProgressSnapshot(stage: .validation)] {
      for width in 1...220 {
        for formatter in [ascii, unicode] {
          #expect(DisplayText.width(formatter.line(snapshot, width: width)) <= width)
        }
      }
    }
  }

  @Test func theBarFillsFromEmptyToFull() {
    func bar(_ completed: Int, _ formatter: ProgressFormatter) -> String {
      var snapshot = ProgressSnapshot(stage: .test)
      (snapshot.completed, snapshot.total) = (completed, 20)
      return formatter.line(snapshot, width: 21)
    }
    #expect(bar(0, unicode) == "Test ──────────  0/20")
    #expect(bar(1, unicode) == "Test ╸─────────  1/20")
    #expect(bar(10, unicode) == "Test ━━━━━───── 10/20")
    #expect(bar(19, unicode) == "Test ━━━━━━━━━╸ 19/20")
    #expect(bar(20, unicode) == "Test ━━━━━━━━━━ 20/20")
    #expect(bar(25, unicode) == "Test ━━━━━━━━━━ 25/20")
    #expect(bar(0, ascii) == "Test ----------  0/20")
    #expect(bar(1, ascii) == "Test >---------  1/20")
    #expect(bar(2, ascii) == "Test =>--------  2/20")
    #expect(bar(20, ascii) == "Test ========== 20/20")
  }

  @Test func colourDoesNotChangeTheLayout() {
    let colored = ProgressFormatter(isUTF8: false, usesColor: true).line(running, width: 35)
    #expect(colored == "Epoch  3/10 \u{1b}[36m==========>\u{1b}[0m\u{1b}[2m----\u{1b}[0m 31/46")
  }

  @Test func anUnknownTotalHasNoBar() {
    var snapshot = ProgressSnapshot(stage: .train)
    (snapshot.completed, snapshot.rate) = (31, 0.5)
    #expect(unicode.line(snapshot, width: 80) == "Epoch 1 31/? • 2.00 s/it")
    #expect(unicode.plainLine([snapshot]) == "epoch 1 31/? batches, 2.00 s/it")
  }

  @Test func plainLines() {
    #expect(
      ascii.plainLine([running])
        == "epoch 3/10 31/46 batches, 2134 it/s, ETA 0:02, run 1:15, loss 0.213, val/accuracy 0.921, val/loss 1.2e-05")
    var nested = ProgressSnapshot(stage: .validation)
    (nested.completed, nested.total, nested.rate) = (3, 50, 12.345)
    #expect(ascii.plainLine([running, nested]) == "epoch 3/10 validation 3/50 batches, 12.3 it/s")
  }

  @Test func namesCannotMoveTheCursor() {
    var snapshot = ProgressSnapshot(stage: .test)
    snapshot.metrics = [("a\n\u{1b}[2J", 1)]
    #expect(ascii.plainLine([snapshot]) == "test 0/? batches, a??[2J 1.000")
  }
}
