internal import CTorch
internal import Glibc

/// A key-value store that all processes of a run see; the place where they find each other.
///
/// See PyTorch's `torch.distributed.TCPStore` and `PrefixStore`.
public final class Store {
  let handle: OpaquePointer
  /// Port of the server.
  public let port: Int

  init(owning handle: OpaquePointer, port: Int) {
    self.handle = handle
    self.port = port
  }

  deinit { ct_store_release(handle) }

  /// Opens the server. With `host` on loopback it listens there only; port 0 lets the system choose a free one.
  public static func server(
    host: String = "127.0.0.1", port: Int = 0, timeout: Double = 300
  ) throws(DistributedError) -> Store {
    let isLoopback = host == "localhost" || host.hasPrefix("127.")
    let descriptor = isLoopback ? try ListeningSocket.onLoopback(port: port) : -1
    return try open(host: host, port: port, server: true, descriptor: descriptor, timeout: timeout)
  }

  /// Connects to the server at `host`:`port`, waiting up to `timeout` seconds for it to appear.
  public static func client(host: String, port: Int, timeout: Double = 300) throws(DistributedError) -> Store {
    try open(host: host, port: port, server: false, descriptor: -1, timeout: timeout)
  }

  static func open(
    host: String, port: Int, server: Bool, descriptor: Int32, timeout: Double
  ) throws(DistributedError) -> Store {
    guard UInt16(exactly: port) != nil else {
      throw DistributedError(
        operation: "the store at \(host):\(port)", rank: nil, message: "a port is a number from 0 to 65535")
    }
    var bound: Int32 = 0
    let handle = ct_store_tcp(host, Int32(port), server, descriptor, Int64(timeout * 1000), &bound)
    guard let handle else {
      throw DistributedError.last(
        server ? "opening the store at \(host):\(port)" : "joining the store at \(host):\(port)")
    }
    return Store(owning: handle, port: Int(bound))
  }

  /// A view of this store in which every key starts with `prefix`.
  public func prefixed(_ prefix: String) throws(DistributedError) -> Store {
    guard let handle = ct_store_prefix(prefix, handle) else { throw .last("store prefix") }
    return Store(owning: handle, port: port)
  }

  public func set(_ key: String, _ value: [UInt8]) throws(DistributedError) {
    guard ct_store_set(handle, key, value, value.count) else { throw .last("store set '\(key)'") }
  }

  public func set(_ key: String, _ value: String) throws(DistributedError) { try set(key, Array(value.utf8)) }

  /// Waits for `key` to be set, then reads it.
  public func get(_ key: String) throws(DistributedError) -> [UInt8] {
    var bytes: UnsafeMutableRawPointer?
    var count = 0
    guard ct_store_get(handle, key, &bytes, &count), let bytes else { throw .last("store get '\(key)'") }
    defer { free(bytes) }
    return [UInt8](UnsafeRawBufferPointer(start: bytes, count: count))
  }

  /// Adds to a counter, which starts at 0, and returns its new value.
  @discardableResult
  public func add(_ key: String, _ amount: Int) throws(DistributedError) -> Int {
    var result: Int64 = 0
    guard ct_store_add(handle, key, Int64(amount), &result) else { throw .last("store add '\(key)'") }
    return Int(result)
  }

  public func contains(_ key: String) throws(DistributedError) -> Bool {
    let answer = ct_store_check(handle, key)
    guard answer >= 0 else { throw .last("store check '\(key)'") }
    return answer == 1
  }

  public func wait(for key: String, timeout: Double) throws(DistributedError) {
    guard ct_store_wait(handle, key, Int64(timeout * 1000)) else { throw .last("store wait for '\(key)'") }
  }

  public func remove(_ key: String) throws(DistributedError) {
    guard ct_store_delete(handle, key) else { throw .last("store delete '\(key)'") }
  }
}
