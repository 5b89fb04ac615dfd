import Testing

@testable import TorchDistributed

@Suite("The own address on the way to another machine")
struct LocalAddressTests {
  @Test("loopback is reached from loopback", arguments: ["127.0.0.1", "localhost", "127.0.0.2"])
  func loopback(_ host: String) throws {
    let address = try #require(LocalAddress.towards(host))
    #expect(address.hasPrefix("127.") || address == "::1")
  }

  @Test("a name that nobody has leads nowhere")
  func nowhere() {
    #expect(LocalAddress.towards("no such host") == nil)
  }
}
