// One measurement, as a process of its own; prints one line of JSON. `benchmarks` runs this program.
//
//   workload op        add of two small tensors, from Swift and from C++
//   workload overhead  the digits MLP in a C++ loop, a Swift loop and the Trainer, alternating
//   workload profile   where the time of the two loops goes
//   workload steps     the digits MLP in the Trainer, on one or more devices
//   workload start     the time to the first step
//   workload scale     the ConvNet on one or more processes
//   workload communication  steps and bytes of one of the algorithms that `workload algorithms` lists
//   workload checkpoint  a checkpoint of 500 MB in the background
//   workload sharded-checkpoint  a checkpoint of 1 GB that all ranks write
//   workload sharded-state  bytes of model state of a stage of ZeRO
//   workload sharded-peak   the most memory that a rank has
//   workload sharded-steps  steps per second of the small transformer
//   workload collectives    ways to reduce and gather 16 MB
//   workload offload   stage 3 with all state on disk, in little memory
//   workload disk      half a gigabyte to a store on a disk and back

import Glibc
import Stratagem

do {
  let options = try Options(Array(CommandLine.arguments.dropFirst()))
  let temporary = String(cString: getenv("BENCHMARK_OUTPUT") ?? strdup("/tmp/stratagem-benchmark"))
  let devices = try options.count("devices", 1)
  let strategy = options.text("strategy", devices == 1 ? "single_device" : "ddp")
  switch options.command {
  case "op":
    Operator.measure(rounds: try options.count("rounds", 31)).print()
  case "overhead":
    let overhead = Overhead(
      data: DigitsData(folder: try options.data()), windows: try options.count("windows", 5), temporary: temporary)
    try overhead.measure(rounds: try options.count("rounds", 11)).print()
  case "profile":
    let overhead = Overhead(data: DigitsData(folder: try options.data()), windows: 50, temporary: temporary)
    try overhead.profile().print()
  case "steps":
    let windows = try options.count("windows", 43)
    let batchSize = strategy == "ddp" ? 32 / devices : 32
    let data = DigitsData(folder: try options.data(), batchSize: batchSize)
    let overhead = Overhead(data: data, windows: windows, temporary: temporary)
    var result = Result()
    result.add(
      "steps_per_second", 1 / (try overhead.trainer(loggers: [], strategy: strategy, devices: devices)).median)
    if getenv("LOCAL_RANK") == nil { result.print() }
  case "start":
    let data = DigitsData(folder: try options.data(), batchSize: 32 / devices, validates: true)
    try Start.run(
      data: data, devices: devices, strategy: options.text("strategy", devices == 1 ? "single_device" : "ddp"),
      temporary: temporary)
  case "scale":
    try Scaling.run(strategy: strategy, devices: devices, steps: try options.count("steps", 8))
  case "algorithms":
    var result = Result()
    for (place, algorithm) in Communication.algorithms.enumerated() { result.add(algorithm.name, Double(place)) }
    result.print()
  case "communication":
    try Communication.run(options.text("algorithm", "ddp"), devices: devices, steps: try options.count("steps", 24))
  case "checkpoint":
    try Checkpointing.measure(rounds: try options.count("rounds", 5), temporary: temporary).print()
  case "sharded-checkpoint":
    try ShardedCheckpointing.measure(
      strategy: strategy, devices: devices, rounds: try options.count("rounds", 3), temporary: temporary)
  case "sharded-state":
    try Sharding.state(stage: try options.count("stage", 3), devices: devices)
  case "sharded-peak":
    try Sharding.memory(strategy: strategy, devices: devices)
  case "sharded-steps":
    try Sharding.steps(strategy: strategy, devices: devices, steps: try options.count("steps", 20))
  case "collectives":
    try Collectives.measure(devices: devices)
  case "offload":
    let limit = try options.count("limit", 0)
    try Offload.measure(
      limit: limit > 0 ? limit : nil, devices: devices, steps: try options.count("steps", 4), folder: temporary)
  case "disk":
    try Disk.measure(rounds: try options.count("rounds", 5), folder: temporary).print()
  default:
    throw UsageError(
      "'\(options.command)' is no command: op, overhead, profile, steps, start, scale, algorithms, communication, "
        + "checkpoint, sharded-checkpoint, sharded-state, sharded-peak, sharded-steps, collectives, offload, disk")
  }
} catch {
  let line = "workload: \(error)\n"
  _ = line.withCString { write(STDERR_FILENO, $0, strlen($0)) }
  exit(1)
}
