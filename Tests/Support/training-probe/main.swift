// A program for the tests of whole runs: `training-probe SCENARIO DEVICES FOLDER [NAME=VALUE ...]`.
import Glibc
import Stratagem

guard let options = ProbeOptions(Array(CommandLine.arguments.dropFirst())) else {
  print("usage: training-probe SCENARIO DEVICES FOLDER [NAME=VALUE ...]")
  exit(64)
}
do {
  try OwnStrategies.register()
  if options.scenario == "large" {
    try LargeModelProbe(options: options).run()
  } else if options.has("loops") {
    try LoopProbe(options).run()
  } else if options.scenario == "matrix" {
    try MatrixProbe(options: options).run()
  } else if options.scenario == "exact" {
    try ExactProbe(options: options).run()
  } else if options.scenario == "sharded" {
    try ShardedProbe(options: options).run()
  } else if options.scenario == "sharded-memory" {
    try ShardedMemoryProbe(options: options).run()
  } else if options.scenario == "activations" {
    try ActivationProbe(options: options).run()
  } else {
    try Probe(options).run()
  }
} catch {
  let text = "Error: \(error)\n"
  write(2, text, text.utf8.count)
  exit(1)
}
