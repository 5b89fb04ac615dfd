// A program for the tests of TorchDistributed: `collective-probe SCENARIO RANK SIZE PORT ARGUMENT`.
// Each process is one rank; what it computes goes to standard output, a line a result.
import Glibc
import Torch
import TorchDistributed

let arguments = CommandLine.arguments
guard arguments.count == 6, let rank = Int(arguments[2]), let size = Int(arguments[3]), let port = Int(arguments[4])
else {
  print("usage: collective-probe SCENARIO RANK SIZE PORT ARGUMENT")
  exit(64)
}
TorchRuntime.threadCount = 1
alarm(60)  // never outlives its test for long
let probe = Probe(rank: rank, size: size, port: port, argument: arguments[5])
do {
  switch arguments[1] {
  case "horovod": try probe.trainWithHorovod()
  case "adasum": try probe.combineUpdates()
  case "horovod-misuse": try probe.misuseHorovod()
  case "horovod-join": try probe.joinEarly()
  case "horovod-collectives": try probe.useNamedCollectives()
  case "all-reduce": try probe.allReduce()
  case "gather": try probe.gather()
  case "exchange": try probe.exchange()
  case "broadcast": try probe.broadcast()
  case "asynchronous": try probe.runAsynchronously()
  case "barrier": try probe.meetAtBarrier()
  case "two-groups": try probe.useTwoGroups()
  case "poisoned": try probe.refusePoisoned()
  case "mismatch": try probe.disagreeOnShapes()
  case "killed": try probe.loseRank()
  case "absent": try probe.awaitAbsentRank()
  case "gradients": try probe.train()
  case "reference": try probe.trainAlone()
  case "unused": try probe.trainWithUnusedParameter()
  case "differentiable": try probe.differentiate()
  case "second-derivative": try probe.differentiateTwice()
  case "gradient-lost": try probe.loseRankInBackward()
  case "batch-norm": try probe.normalize()
  case "batch-norm-reference": try probe.normalizeAlone()
  case "batch-norm-misuse": try probe.misuseNormalization()
  case "hook": try probe.trainWithHook()
  case "failing-hook": try probe.failInHook()
  case "hook-errors": try probe.carryErrors()
  case "refused-hooks": try probe.refuseHooks()
  case "subgroups": try probe.useSubgroups()
  case "different-models": try probe.trainDifferentModels()
  case "compressed": try probe.compress()
  default:
    print("unknown scenario \(arguments[1])")
    exit(64)
  }
} catch {
  print("error: \(error)")
  exit(1)
}
