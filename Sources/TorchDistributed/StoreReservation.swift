internal import Glibc

/// A free port of 127.0.0.1 on which a store is to be opened later.
///
/// Clients may connect already; they are answered when the store is open.
public final class StoreReservation {
  private var descriptor: Int32
  /// The port, which the system chose.
  public let port: Int

  /// Reserves a port.
  public init() throws(DistributedError) {
    let descriptor = try ListeningSocket.onLoopback(port: 0)
    var address = sockaddr_in()
    var length = socklen_t(MemoryLayout<sockaddr_in>.size)
    let code = withUnsafeMutablePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { getsockname(descriptor, $0, &length) }
    }
    self.descriptor = descriptor
    port = code == 0 ? Int(UInt16(bigEndian: address.sin_port)) : 0
  }

  deinit { cancel() }

  /// Gives up the port in this process; one that was forked from it, or forked it, keeps it.
  public func cancel() {
    if descriptor >= 0 { close(descriptor) }
    descriptor = -1
  }

  /// Opens the store's server on the port. To be called once.
  public func open(timeout: Double = 300) throws(DistributedError) -> Store {
    let taken = descriptor
    descriptor = -1
    return try Store.open(host: "127.0.0.1", port: port, server: true, descriptor: taken, timeout: timeout)
  }
}
