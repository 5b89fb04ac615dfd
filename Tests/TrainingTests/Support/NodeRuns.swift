import Foundation
import Glibc
import Synchronization
import Testing

/// Several nodes that are processes on this machine, told apart by the variables of the Lightning environment.
enum NodeRuns {
  /// Runs a scenario of the probe once for each node, all at once.
  ///
  /// - Parameter folder: for all nodes; one for each when left out.
  static func run(
    _ scenario: String, nodes: Int, devices: Int, options: [String], folder: TemporaryFolder? = nil
  ) throws -> [ProbeRun] {
    let port = try freePort()
    return try together(nodes) { node in
      let shell = nodes == 1 ? nil : "export NODE_RANK=\(node) MASTER_ADDR=127.0.0.1 MASTER_PORT=\(port)"
      return try ProbeRun(scenario, devices, options: ["nodes=\(nodes)"] + options, folder: folder, shell: shell)
    }
  }

  /// Runs a scenario once for each process, all at once, with the variables that horovodrun gives them.
  ///
  /// - Parameter devices: processes of a node.
  static func runByHorovod(
    _ scenario: String, nodes: Int, devices: Int, options: [String], folder: TemporaryFolder? = nil
  ) throws -> [ProbeRun] {
    let port = try freePort()
    return try together(nodes * devices) { rank in
      let shell =
        "export HOROVOD_RANK=\(rank) HOROVOD_SIZE=\(nodes * devices) HOROVOD_LOCAL_RANK=\(rank % devices) "
        + "HOROVOD_LOCAL_SIZE=\(devices) HOROVOD_CROSS_RANK=\(rank / devices) HOROVOD_CROSS_SIZE=\(nodes) "
        + "HOROVOD_GLOO_RENDEZVOUS_ADDR=127.0.0.1 MASTER_PORT=\(port)"
      return try ProbeRun(scenario, devices, options: options, folder: folder, shell: shell)
    }
  }

  private static func together(_ count: Int, _ run: @escaping @Sendable (Int) throws -> ProbeRun) throws -> [ProbeRun] {
    let runs = Mutex([Int: Result<ProbeRun, any Error>]())
    let threads = (0..<count).map { number in
      let thread = Thread {
        let result = Result { try run(number) }
        runs.withLock { $0[number] = result }
      }
      thread.start()
      return thread
    }
    while threads.contains(where: { !$0.isFinished }) { usleep(1000) }
    return try (0..<count).map { number in try #require(runs.withLock { $0[number] }).get() }
  }

  /// A port of the loopback address that nobody listens at, and that the system gives to nobody who asks for any: it is
  /// free until it is used, also when others take ports meanwhile.
  static func freePort() throws -> Int {
    let range = try String(contentsOfFile: "/proc/sys/net/ipv4/ip_local_port_range", encoding: .utf8)
      .split { $0.isWhitespace }.compactMap { Int($0) }
    try #require(range.count == 2)
    let own = (10_000..<60_000).filter { !(range[0]...range[1]).contains($0) }
    return try #require((own.isEmpty ? Array(10_000..<60_000) : own).shuffled().first(where: isFree))
  }

  private static func isFree(_ port: Int) -> Bool {
    let listener = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
    defer { close(listener) }
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_addr.s_addr = inet_addr("127.0.0.1")
    address.sin_port = in_port_t(port).bigEndian
    return withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(listener, $0, socklen_t(MemoryLayout<sockaddr_in>.size)) == 0
      }
    }
  }
}
