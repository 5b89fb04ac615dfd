internal import ArgumentParser
internal import Glibc
internal import Stratagem
internal import Torch

/// `stratagem launch`: starts the processes of a run on this machine, with torchrun's flags and variables.
struct LaunchCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "launch",
    abstract: "Start a program as the processes of a run, on one machine or several.",
    discussion: """
      The processes get torchrun's variables: RANK, LOCAL_RANK, WORLD_SIZE, LOCAL_WORLD_SIZE, GROUP_RANK, MASTER_ADDR, \
      MASTER_PORT and others. Their lines come with the rank before them. The first one that fails ends all. On several \
      machines, run the same command on each with a --node-rank of its own. Names with underscores, as torchrun has \
      them (--nproc_per_node), mean the same.
      """)

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("Processes on each machine: a number, auto (GPUs, or else cores), gpu or cpu.", valueName: "n"))
  var nprocPerNode = "1"

  @Option(parsing: .unconditional, help: ArgumentHelp("The number of machines.", valueName: "n"))
  var nnodes = "1"

  @Option(parsing: .unconditional, help: ArgumentHelp("The number of this machine, from 0.", valueName: "r"))
  var nodeRank: Int?

  @Option(help: ArgumentHelp("The address of machine 0.", valueName: "host"))
  var masterAddr: String?

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("A free port of machine 0. (default on one machine: any)", valueName: "port"))
  var masterPort: Int?

  @Option(help: ArgumentHelp("The same as --master-addr and --master-port: host:port.", valueName: "endpoint"))
  var rdzvEndpoint: String?

  @Option(help: ArgumentHelp("The name of the run, the same on all machines.", valueName: "id"))
  var rdzvId: String?

  @Option(help: ArgumentHelp("How machines find each other: c10d or static, which mean the same.", valueName: "name"))
  var rdzvBackend = "c10d"

  @Option(
    parsing: .unconditional,
    help: ArgumentHelp("How often all processes are started again after a failure.", valueName: "n"))
  var maxRestarts = 0

  @Flag(help: "A run on this machine alone, on any free port.")
  var standalone = false

  @Option(help: ArgumentHelp("Write what each rank prints to files in this folder, too.", valueName: "dir"))
  var logDir: String?

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("With --log-dir, what goes only there: 1 output, 2 errors, 3 both.", valueName: "streams"))
  var redirects = 0

  @Option(
    name: .shortAndLong,
    help: ArgumentHelp("Accepted as torchrun's; all streams go to both places anyway.", valueName: "streams"))
  var tee: String?

  @Flag(help: "Accepted as torchrun's; programs are always started as they are.")
  var noPython = false

  @Option(help: .hidden) var role: String?
  @Option(help: .hidden) var monitorInterval: String?
  @Option(help: .hidden) var startMethod: String?
  @Option(help: .hidden) var rdzvConf: String?

  @Argument(parsing: .captureForPassthrough, help: ArgumentHelp("The program and its arguments.", valueName: "program"))
  var command: [String] = []

  func run() throws {
    // What is passed on to a program takes the flags that come with every command, too.
    if let first = command.first, ["--help", "-h"].contains(first) { throw CleanExit.helpRequest(LaunchCommand.self) }
    let plan = try LaunchPlan(self)
    let status = try InterruptMonitor.shared.watching(startsThread: false) {
      do { return try LaunchRun(plan).run() } catch let error as LaunchInterruption { return 128 + error.signal }
    }
    if status != 0 { throw ExitCode(Int32(status)) }
  }
}
