import Foundation
import Testing
import TorchDistributed

@Suite(.serialized) struct StoreTests {
  private func pair() throws -> (server: Store, client: Store) {
    let server = try Store.server(timeout: 20)
    return (server, try Store.client(host: "127.0.0.1", port: server.port, timeout: 20))
  }

  private func error(sourceLocation: SourceLocation = #_sourceLocation, _ body: () throws -> Void) -> DistributedError?
  {
    #expect(throws: DistributedError.self, sourceLocation: sourceLocation, performing: body)
  }

  @Test func bothSidesSeeTheSameValues() throws {
    let (server, client) = try pair()
    #expect(server.port > 0 && client.port == server.port)
    try server.set("a", "text")
    #expect(try client.get("a") == Array("text".utf8))
    try client.set("a", [0, 255, 10])
    #expect(try client.get("a") == [0, 255, 10])
    #expect(try server.get("a") == [0, 255, 10])
    try client.set("empty", [UInt8]())
    #expect(try server.get("empty").isEmpty)
    let large = (0..<100_000).map { UInt8(truncatingIfNeeded: $0 &* 7) }
    try server.set("large", large)
    #expect(try client.get("large") == large)
  }

  @Test func counts() throws {
    let (server, client) = try pair()
    #expect(try server.add("n", 5) == 5)
    #expect(try client.add("n", 2) == 7)
    #expect(try client.add("n", -10) == -3)
    #expect(try server.add("other", 0) == 0)
  }

  @Test func knowsAndForgetsKeys() throws {
    let (server, client) = try pair()
    #expect(try !client.contains("a"))
    try server.set("a", "1")
    // Setting does not wait for an answer.
    try client.wait(for: "a", timeout: 20)
    #expect(try client.contains("a"))
    try client.remove("a")
    #expect(try !server.contains("a"))
  }

  @Test func waitsForAKey() throws {
    let (server, client) = try pair()
    let error = error { try client.wait(for: "late", timeout: 0.2) }
    #expect(error?.operation == "store wait for 'late'")
    #expect(error?.message.contains("late") == true)
    #expect(error?.isConsequenceOfPeer == true)
    try server.set("late", "")
    try client.wait(for: "late", timeout: 20)
    let missing = try Store.client(host: "127.0.0.1", port: server.port, timeout: 0.2)
    #expect(self.error { _ = try missing.get("never") }?.operation == "store get 'never'")
  }

  @Test func aValueThatComesLaterIsMet() throws {
    let server = try Store.server(timeout: 20)
    let port = server.port
    let thread = Thread { try? Store.client(host: "127.0.0.1", port: port, timeout: 20).set("later", "yes") }
    thread.start()
    #expect(try server.get("later") == Array("yes".utf8))
  }

  @Test func prefixesKeepKeysApart() throws {
    let (server, client) = try pair()
    let (left, right) = (try server.prefixed("left"), try client.prefixed("right"))
    try left.set("k", "1")
    try right.set("k", "2")
    #expect(try left.get("k") == Array("1".utf8))
    #expect(try right.get("k") == Array("2".utf8))
    #expect(try !server.contains("k"))
    #expect(try server.contains("left/k"))
    #expect(left.port == server.port)
  }

  @Test func aTakenPortIsNamed() throws {
    let server = try Store.server(timeout: 5)
    let error = error { _ = try Store.server(port: server.port, timeout: 5) }
    #expect(
      error?.description
        == """
        listening on 127.0.0.1:\(server.port) failed: Address already in use; another program uses the port: choose \
        another one, or 0 for any free one
        """)
    try server.set("still", "there")
  }

  @Test(arguments: [-1, 65536, 1 << 40]) func impossiblePortsAreRefused(_ port: Int) {
    #expect(error { _ = try Store.server(port: port) }?.message == "a port is a number from 0 to 65535")
    #expect(
      error { _ = try Store.client(host: "127.0.0.1", port: port) }?.message == "a port is a number from 0 to 65535")
  }

  @Test func aServerThatIsNotThereIsNamed() throws {
    let port = try Store.server(timeout: 1).port
    let error = error { _ = try Store.client(host: "127.0.0.1", port: port, timeout: 0.5) }
    #expect(error?.operation == "joining the store at 127.0.0.1:\(port)")
    #expect(error?.isConsequenceOfPeer == true, "\(String(describing: error))")
  }

  @Test func listensOnLoopbackOnly() throws {
    let server = try Store.server(timeout: 5)
    let suffix = String(format: ":%04X", server.port)
    var addresses: [String] = []
    for table in ["tcp", "tcp6"] {
      let text = (try? String(contentsOfFile: "/proc/net/\(table)", encoding: .utf8)) ?? ""
      for line in text.split(separator: "\n") {
        let fields = line.split(separator: " ")
        if fields.count > 3, fields[3] == "0A", fields[1].hasSuffix(suffix) { addresses.append(String(fields[1])) }
      }
    }
    #expect(addresses == ["0100007F" + suffix])
    withExtendedLifetime(server) {}
  }
}
