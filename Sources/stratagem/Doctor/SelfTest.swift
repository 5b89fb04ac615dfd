internal import Glibc
internal import Stratagem
internal import Synchronization
internal import TorchDistributed

/// Two processes on this machine that compute together.
enum SelfTest {
  /// Seconds that all of it may take.
  private static let timeout = 60.0

  private final class Lines: Sendable {
    let texts = Mutex<[String]>([])
  }

  static var finding: Finding {
    do { return try run() } catch {
      return .problem("collectives", "\(error)", "see whether 127.0.0.1 can be reached and processes can be started")
    }
  }

  private static func run() throws -> Finding {
    let store = try Store.server(host: "127.0.0.1", port: 0)
    let program = try ownPath()
    var shared = ClusterEnvironments.processVariables
    for name in shared.keys where name.hasPrefix("SLURM_") || name.hasPrefix("TORCHELASTIC_") { shared[name] = nil }
    shared["OMP_NUM_THREADS"] = "1"
    shared["GLOO_SOCKET_IFNAME"] = nil
    shared["STRATAGEM_LAUNCHER"] = "\(getpid())"
    let commands = (0..<2).map { rank in
      let identity = WorkerIdentity(localRank: rank, localWorldSize: 2)
      let variables = shared.merging(identity.variables(mainAddress: "127.0.0.1", mainPort: store.port)) { $1 }
      return ProgramCommand(
        identity: identity, program: program, arguments: ["stratagem", "self-test"], variables: variables)
    }
    let lines = Lines()
    let supervisor = try Supervisor.starting(commands) { line in lines.texts.withLock { $0.append(line.text) } }
    if !supervisor.waitForEnd(seconds: timeout) {
      supervisor.abort()
      return .problem(
        "collectives", "two processes did not finish within \(Int(timeout)) s", "see whether 127.0.0.1 can be reached")
    }
    if let failure = supervisor.failure { return .problem("collectives", "\(failure)", "see the reason above") }
    let answer = lines.texts.withLock { $0.joined(separator: "; ") }
    return .ok("collectives", answer)
  }

  private static func ownPath() throws -> String {
    var bytes = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
    let count = readlink("/proc/self/exe", &bytes, Int(PATH_MAX))
    return count > 0
      ? String(decoding: bytes[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self) : CommandLine.arguments[0]
  }
}
