/// Carries a value that is not `Sendable` to another thread; the sender must not touch it any more.
public struct UnsafeTransfer<Value>: @unchecked Sendable {
  public let value: Value
  public init(_ value: Value) { self.value = value }
}
