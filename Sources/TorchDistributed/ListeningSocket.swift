internal import Glibc

/// A TCP socket that listens on 127.0.0.1, so that a run on one machine is not reachable from outside.
enum ListeningSocket {
  /// Returns the descriptor, which is closed when a program is executed.
  static func onLoopback(port: Int) throws(DistributedError) -> Int32 {
    guard let number = UInt16(exactly: port) else {
      throw DistributedError(
        operation: "listening on 127.0.0.1:\(port)", rank: nil, message: "a port is a number from 0 to 65535")
    }
    let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue), 0)
    guard descriptor >= 0 else { throw failure(port) }
    var reuse: Int32 = 1
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &reuse, socklen_t(MemoryLayout<Int32>.size))
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = in_port_t(number).bigEndian
    address.sin_addr.s_addr = in_addr_t(INADDR_LOOPBACK).bigEndian
    let bound = withUnsafePointer(to: &address) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard bound == 0, listen(descriptor, 128) == 0 else {
      let error = failure(port)
      close(descriptor)
      throw error
    }
    return descriptor
  }

  private static func failure(_ port: Int) -> DistributedError {
    let code = errno
    let reason = String(cString: strerror(code))
    let advice = code == EADDRINUSE ? "; another program uses the port: choose another one, or 0 for any free one" : ""
    return DistributedError(operation: "listening on 127.0.0.1:\(port)", rank: nil, message: reason + advice)
  }
}
