import CProcess

/// Starts threads of their own, outside of Swift's pool.
enum BackgroundThread {
  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// Runs `body` on a new thread and returns 0, or an errno value when there can be no more threads.
  static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Int32 {
    let context = Unmanaged.passRetained(Box(body))
    let code = cp_start_thread(
      name, { Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body() }, context.toOpaque())
    if code != 0 { context.release() }
    return code
  }
}
