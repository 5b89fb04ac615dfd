internal import Glibc

/// Finds out under which of its addresses this machine reaches another.
package enum LocalAddress {
  /// Returns the numeric address from which packets to `host` leave, or `nil` when there is no way there.
  ///
  /// Nothing is sent: connecting a datagram socket only makes the system choose the way.
  package static func towards(_ host: String) -> String? {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_DGRAM.rawValue)
    var found: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(host, "9", &hints, &found) == 0 else { return nil }
    defer { freeaddrinfo(found) }
    var candidate = found
    while let entry = candidate?.pointee {
      if let address = source(of: entry) { return address }
      candidate = entry.ai_next
    }
    return nil
  }

  private static func source(of entry: addrinfo) -> String? {
    let descriptor = socket(entry.ai_family, entry.ai_socktype | Int32(SOCK_CLOEXEC.rawValue), entry.ai_protocol)
    guard descriptor >= 0 else { return nil }
    defer { close(descriptor) }
    guard connect(descriptor, entry.ai_addr, entry.ai_addrlen) == 0 else { return nil }
    var storage = sockaddr_storage()
    var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
    return withUnsafeMutablePointer(to: &storage) { pointer in
      pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
        guard getsockname(descriptor, address, &length) == 0 else { return nil }
        var text = [CChar](repeating: 0, count: Int(NI_MAXHOST))
        guard getnameinfo(address, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0 else {
          return nil
        }
        return String(decoding: text.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
      }
    }
  }
}
