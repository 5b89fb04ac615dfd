internal import Glibc
internal import Stratagem

/// What `launch` was asked to do, checked.
struct LaunchPlan {
  var program: String
  var arguments: [String]
  var processes: Int
  var nodes: Int
  var nodeRank: Int
  var address: String
  /// nil for any free one.
  var port: Int?
  var runID: String?
  var maxRestarts: Int
  var logFolder: String?
  var redirects: Int

  /// - Throws: `ConfigurationError` with everything that does not fit.
  init(_ command: LaunchCommand) throws {
    var problems: [ConfigurationError.Problem] = []
    func report(_ flag: String, _ message: String, _ suggestion: String) {
      problems.append(.init(flag, message, suggestion: suggestion))
    }
    var words = command.command
    if words.first == "--" { words.removeFirst() }
    arguments = words
    program = ""
    if let name = words.first {
      if name.hasPrefix("-") {
        report(
          name, "there is no flag \(name)", "put flags of the program behind its name; see `stratagem launch --help`")
      } else {
        do { program = try Self.find(name) } catch { problems += error.problems }
      }
    } else {
      report("program", "there is no program to start", "write `stratagem launch --nproc-per-node 2 PROGRAM ARGUMENTS`")
    }

    processes = 1
    switch command.nprocPerNode {
    case "auto":
      let hardware = HardwareInventory.detect()
      processes = hardware.gpus.isEmpty ? hardware.cpuCount : hardware.gpus.count
    case "cpu": processes = HardwareInventory.detect().cpuCount
    case "gpu":
      processes = HardwareInventory.detect().gpus.count
      if processes == 0 { report("--nproc-per-node", "--nproc-per-node gpu: there is no GPU", "write cpu or a number") }
    default:
      if let number = Int(command.nprocPerNode), (1...4096).contains(number) {
        processes = number
      } else {
        report(
          "--nproc-per-node", "--nproc-per-node is \(command.nprocPerNode)", "give 1 to 4096, auto, gpu or cpu")
      }
    }

    nodes = 1
    let range = command.nnodes.split(separator: ":", omittingEmptySubsequences: false)
    if let first = range.first.flatMap({ Int($0) }), range.allSatisfy({ $0 == range[0] }), range.count < 3, first > 0 {
      nodes = first
    } else if range.count == 2, range.allSatisfy({ Int($0) != nil }) {
      report(
        "--nnodes", "--nnodes is \(command.nnodes), and the number of machines does not change during a run",
        "give one number")
    } else {
      report("--nnodes", "--nnodes is \(command.nnodes)", "give a number of 1 or more")
    }

    nodeRank = command.nodeRank ?? 0
    if !(0..<nodes).contains(nodeRank) {
      report("--node-rank", "--node-rank is \(nodeRank) of \(nodes)", "give a number from 0 to \(nodes - 1)")
    } else if nodes > 1, command.nodeRank == nil {
      report(
        "--node-rank", "--nnodes is \(nodes), but --node-rank is not given",
        "give 0 to \(nodes - 1), a different one on each machine")
    }
    if !["c10d", "static"].contains(command.rdzvBackend) {
      report("--rdzv-backend", "--rdzv-backend is \(command.rdzvBackend)", "give c10d or static")
    }
    if command.maxRestarts < 0 {
      report("--max-restarts", "--max-restarts is \(command.maxRestarts)", "give a number of 0 or more")
    }
    if !(0...3).contains(command.redirects) || (command.redirects > 0 && command.logDir == nil) {
      report(
        "--redirects", "--redirects is \(command.redirects)", "give 0 to 3, and a --log-dir for what is redirected")
    }

    var (host, port) = (command.masterAddr, command.masterPort)
    if let endpoint = command.rdzvEndpoint, !endpoint.isEmpty {
      if host != nil || port != nil {
        report("--rdzv-endpoint", "--rdzv-endpoint and --master-addr or --master-port say the same", "give one of them")
      }
      let colon = endpoint.lastIndex(of: ":")
      host = String(endpoint[..<(colon ?? endpoint.endIndex)])
      port = colon.flatMap { Int(endpoint[endpoint.index(after: $0)...]) } ?? (colon == nil ? 29400 : -1)
    }
    if let port, !(0...65535).contains(port) {
      report("--master-port", "the port of machine 0 is no number from 0 to 65535", "give a free port such as 29500")
    }
    if command.standalone {
      if nodes > 1 {
        report("--standalone", "--standalone is for one machine, but --nnodes is \(nodes)", "leave out one of them")
      }
      (host, port) = (nil, nil)
    }
    if nodes > 1, host == nil || (port ?? 0) == 0 {
      report(
        "--master-addr", "a run on \(nodes) machines needs --master-addr and --master-port, the same on each",
        "for example --master-addr <address of machine 0> --master-port 29500")
    }
    address = host ?? "127.0.0.1"
    self.port = port == 0 ? nil : port
    runID = command.rdzvId
    maxRestarts = command.maxRestarts
    logFolder = command.logDir
    redirects = command.redirects
    if let error = ConfigurationError(problems) { throw error }
  }

  var worldSize: Int { nodes * processes }

  /// The place of each process of this machine.
  var identities: [WorkerIdentity] {
    (0..<processes).map {
      WorkerIdentity(localRank: $0, nodeRank: nodeRank, localWorldSize: processes, numNodes: nodes)
    }
  }

  /// The path of a program: as given when there is a slash in it, otherwise the first in PATH.
  private static func find(_ name: String) throws(ConfigurationError) -> String {
    func problem(_ path: String, _ code: Int32) -> ConfigurationError {
      let isPython = name.hasSuffix(".py")
      return ConfigurationError(
        "program", "\(path) cannot be started: \(String(cString: strerror(code)))",
        suggestion: isPython ? "write `python3 \(name)`" : "name an executable file")
    }
    func check(_ path: String) -> Int32 {
      var status = stat()
      guard stat(path, &status) == 0 else { return errno }
      if status.st_mode & S_IFMT == S_IFDIR { return EISDIR }
      return access(path, X_OK) == 0 ? 0 : errno
    }
    if name.contains("/") {
      let code = check(name)
      if code != 0 { throw problem(name, code) }
      return name
    }
    let folders = (getenv("PATH").map { String(cString: $0) } ?? "/usr/bin:/bin").split(
      separator: ":", omittingEmptySubsequences: false)
    for folder in folders {
      let path = (folder.isEmpty ? "." : String(folder)) + "/" + name
      if check(path) == 0 { return path }
    }
    if check("./" + name) != ENOENT { throw problem(name, check("./" + name) == 0 ? ENOENT : check("./" + name)) }
    throw ConfigurationError(
      "program", "there is no program \(name) in PATH", suggestion: "give its path, such as ./\(name)")
  }
}
