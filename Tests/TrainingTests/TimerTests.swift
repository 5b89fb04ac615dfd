import Foundation
import Testing

@Suite("Timer")
struct TimerTests {
  @Test("It ends training on all ranks at once", arguments: [1, 2], ["step", "epoch"])
  func ending(ranks: Int, interval: String) throws {
    let run = try LoopRun(
      "loops", ranks, "epochs=10000", "timer=0.3", "timer-interval=\(interval)", "slow", "train=12", "val=-1"
    ).succeeded()
    let end = try #require(run.events(0, "train end").first)
    #expect(end != "train end epoch=10000 step=30000")
    if ranks == 2 { #expect(run.events(1, "train end") == [end]) }
    if interval == "epoch" { #expect(run.events(0).dropLast().last?.hasPrefix("epoch end") == true) }
  }

  @Test("No time at all: nothing is trained")
  func depleted() throws {
    let run = try LoopRun("loops", 1, "epochs=3", "timer=0", "val=-1").succeeded()
    #expect(run.events() == ["train end epoch=0 step=0"])
  }

  @Test("A resumed run counts the time before")
  func resuming() throws {
    let first = try LoopRun(
      "loops", 1, "epochs=10000", "timer=0.2", "slow", "val=-1", "every-steps=1"
    ).succeeded()
    let step = try #require(first.events(0, "train end").first?.split(separator: "=").last)
    let checkpoint = "resume=\(first.path)/checkpoints/last.ckpt"
    // A step takes 0.05 s, and at least one was counted before its checkpoint.
    let run = try LoopRun("loops", 1, "epochs=10000", "timer=0.04", "slow", "val=-1", checkpoint).succeeded()
    #expect(run.events(0, "train end").first?.hasSuffix("step=\(step)") == true)
    // A second fit starts from nothing.
    let again = try LoopRun("loops", 1, "epochs=1", "timer=1000", "stages=fit,fit-again", "val=-1").succeeded()
    #expect(again.events(0, "train end") == Array(repeating: "train end epoch=1 step=6", count: 2))
  }

  @Test("A negative duration")
  func negative() throws {
    let run = try LoopRun("loops", 1, "epochs=1", "timer=-1")
    #expect(run.failure.contains("Timer: duration is -1.0 seconds; give a duration of zero or more"))
  }
}
