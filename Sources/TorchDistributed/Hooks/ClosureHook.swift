/// A hook that is a closure.
///
/// ```swift
/// DDPStrategy(communicationHook: .closure("clipped") { bucket, group in
///   try group.pendingAllReduce(bucket.buffer.clamped(-1...1), by: .mean)
/// })
/// ```
public struct ClosureHook: CommunicationHook {
  public let name: String
  private let body: (GradientBucket, ProcessGroup) throws -> PendingTensor

  public init(_ name: String, _ body: @escaping (GradientBucket, ProcessGroup) throws -> PendingTensor) {
    self.name = name
    self.body = body
  }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    try body(bucket, group)
  }
}

extension CommunicationHook where Self == ClosureHook {
  /// A hook of one's own; see ``ClosureHook``.
  ///
  /// - Parameter name: what messages call it.
  public static func closure(
    _ name: String = "closure", _ body: @escaping (GradientBucket, ProcessGroup) throws -> PendingTensor
  ) -> ClosureHook {
    ClosureHook(name, body)
  }
}
