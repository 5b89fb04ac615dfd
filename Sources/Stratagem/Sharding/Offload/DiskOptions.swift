/// How a store moves numbers to and from a disk: DeepSpeed's `aio` block.
public struct DiskOptions: Hashable, Sendable {
  /// The bytes of one read or write; a multiple of 4096.
  public var blockByteCount: Int
  /// How many blocks are on their way at once, for each thread.
  public var queueDepth: Int
  /// The threads that hand blocks to the kernel.
  public var threadCount: Int
  /// Whether to use io_uring where the kernel has it; otherwise `queueDepth` threads make blocking calls.
  public var usesRing: Bool

  public init(blockByteCount: Int = 1 << 20, queueDepth: Int = 8, threadCount: Int = 1, usesRing: Bool = true) {
    self.blockByteCount = blockByteCount
    self.queueDepth = queueDepth
    self.threadCount = threadCount
    self.usesRing = usesRing
  }

  /// - Throws: ``ConfigurationError`` naming each option that is out of range.
  public func check() throws(ConfigurationError) {
    var problems: [ConfigurationError.Problem] = []
    if blockByteCount < 4096 || blockByteCount % 4096 != 0 || blockByteCount > 1 << 30 {
      problems.append(
        .init(
          "blockByteCount", "blockByteCount is \(blockByteCount)",
          suggestion: "give a multiple of 4096, at most 1073741824"))
    }
    for (name, value, limit) in [("queueDepth", queueDepth, 1024), ("threadCount", threadCount, 64)]
    where !(1...limit).contains(value) {
      problems.append(.init(name, "\(name) is \(value)", suggestion: "give a number in 1...\(limit)"))
    }
    if let error = ConfigurationError(problems) { throw error }
  }
}
