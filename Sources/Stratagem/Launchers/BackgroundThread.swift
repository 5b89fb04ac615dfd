import CProcess

/// Starts threads of their own, outside of Swift's pool.
enum BackgroundThread {
  private final class Box {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }

  /// What the system shows of a name: it keeps 15 bytes.
  static func visibleName(_ name: String) -> String { String(name.prefix(15)) }

  /// Whether a thread was started here, by the name that the system shows.
  static func isOwn(_ visibleName: String) -> Bool {
    visibleName.hasPrefix("stratagem-") || ["checkpoints", "removed-files"].contains(visibleName)
  }

  /// Runs `body` on a new thread, which ends by itself, and returns 0, or an errno value when there can be no more threads.
  static func start(_ name: String, _ body: @escaping @Sendable () -> Void) -> Int32 {
    let context = Unmanaged.passRetained(Box(body))
    let code = cp_start_thread(
      name, { Unmanaged<Box>.fromOpaque($0!).takeRetainedValue().body() }, context.toOpaque())
    if code != 0 { context.release() }
    return code
  }
}
