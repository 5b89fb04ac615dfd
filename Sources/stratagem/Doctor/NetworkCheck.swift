internal import Glibc
internal import TorchDistributed

/// Whether processes can find each other.
enum NetworkCheck {
  static func findings(_ environment: [String: String]) -> [Finding] {
    [hostName, interfaces(environment), ports, mainAddress(environment), mainPort(environment)].compactMap { $0 }
  }

  private static var hostName: Finding {
    var bytes = [CChar](repeating: 0, count: 256)
    gethostname(&bytes, 255)
    let name = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    let addresses = resolve(name)
    if addresses.isEmpty {
      return .warning(
        "host name", "\(name) has no address",
        "add `127.0.0.1 \(name)` to /etc/hosts; runs on several machines need an address that others reach")
    }
    return .ok("host name", "\(name) is \(addresses.joined(separator: ", "))")
  }

  private static func interfaces(_ environment: [String: String]) -> Finding {
    let names = interfaceNames
    for variable in ["GLOO_SOCKET_IFNAME", "NCCL_SOCKET_IFNAME"] {
      guard let wanted = environment[variable], !wanted.isEmpty else { continue }
      let missing = wanted.split(separator: ",").map(String.init).filter { !names.contains($0) }
      // NCCL's list may begin with ^ or =, and holds prefixes.
      if variable == "GLOO_SOCKET_IFNAME", let first = missing.first {
        return .problem(
          "interfaces", "\(variable) names \(first), which does not exist",
          "unset it, or use one of \(names.joined(separator: ", "))")
      }
    }
    return .ok("interfaces", names.isEmpty ? "none" : names.joined(separator: ", "))
  }

  private static var ports: Finding {
    do {
      let store = try Store.server(host: "127.0.0.1", port: 0, timeout: 10)
      return .ok("ports", "this machine can listen, for example at 127.0.0.1:\(store.port)")
    } catch {
      return .problem("ports", "this machine cannot listen on 127.0.0.1: \(error.message)", "bring the interface lo up")
    }
  }

  private static func mainAddress(_ environment: [String: String]) -> Finding? {
    guard let host = environment["MASTER_ADDR"], !host.isEmpty else { return nil }
    let addresses = resolve(host)
    if addresses.isEmpty {
      return .problem(
        "MASTER_ADDR", "\(host) has no address",
        "unset it for a run on one machine, or set it to the address of machine 0")
    }
    return .ok("MASTER_ADDR", "\(host) is \(addresses.joined(separator: ", "))")
  }

  private static func mainPort(_ environment: [String: String]) -> Finding? {
    guard let text = environment["MASTER_PORT"], !text.isEmpty else { return nil }
    guard let port = UInt16(text), port > 0 else {
      return .problem("MASTER_PORT", "it is \"\(text)\"", "unset it, or set it to a number from 1 to 65535")
    }
    do {
      _ = try Store.server(host: "127.0.0.1", port: Int(port), timeout: 10)
      return .ok("MASTER_PORT", "\(port) is free")
    } catch {
      return .problem(
        "MASTER_PORT", "\(port) cannot be listened on: \(error.message)",
        "unset it to take any free port, set another, or end the program that has it")
    }
  }

  /// The addresses of a name, each once.
  private static func resolve(_ name: String) -> [String] {
    var hints = addrinfo()
    hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    guard getaddrinfo(name, nil, &hints, &list) == 0 else { return [] }
    defer { freeaddrinfo(list) }
    var addresses: [String] = []
    var entry = list
    while let current = entry {
      var bytes = [CChar](repeating: 0, count: Int(NI_MAXHOST))
      if getnameinfo(
        current.pointee.ai_addr, current.pointee.ai_addrlen, &bytes, socklen_t(bytes.count), nil, 0, NI_NUMERICHOST)
        == 0
      {
        let text = String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
        if !addresses.contains(text) { addresses.append(text) }
      }
      entry = current.pointee.ai_next
    }
    return addresses
  }

  private static var interfaceNames: [String] {
    var list: UnsafeMutablePointer<ifaddrs>?
    guard getifaddrs(&list) == 0 else { return [] }
    defer { freeifaddrs(list) }
    var names: [String] = []
    var entry = list
    while let current = entry {
      let name = String(cString: current.pointee.ifa_name)
      if !names.contains(name) { names.append(name) }
      entry = current.pointee.ifa_next
    }
    return names
  }
}
