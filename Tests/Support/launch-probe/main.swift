// A program for the launcher's tests: `launch-probe SCENARIO PROCESSES FOLDER [ARGUMENT]`.
// Ranks meet through files in FOLDER, whose unique name also marks all processes of the run.
import Glibc
import Stratagem

let arguments = CommandLine.arguments
let scenario = arguments[1]
let probe = Probe(
  processes: Int(arguments[2])!, folder: arguments[3], argument: arguments.count > 4 ? arguments[4] : "")

switch scenario {
case "succeed": probe.succeed()
case "describe": probe.describe()
case "report": probe.reportError()
case "exit": probe.exitWithStatus()
case "signal": probe.dieBySignal()
case "consequence": probe.loseConnectionFirst()
case "disconnected": probe.loseConnectionOnly()
case "leave-early": probe.leaveEarly()
case "rank-zero-fails": probe.rankZeroFails()
case "late-failure": probe.failLate()
case "straggler": probe.straggle()
case "output": probe.printLines()
case "partial-line": probe.printPartialLine()
case "long-line": probe.printLongLine()
case "twice": probe.launchTwice()
case "wait": probe.waitForWorkers()
case "interrupt": probe.awaitInterrupt()
case "hang": probe.hangForever()
case "die-at-once": probe.dieAtOnce()
case "helper": probe.leaveHelper()
default:
  print("unknown scenario \(scenario)")
  exit(64)
}
