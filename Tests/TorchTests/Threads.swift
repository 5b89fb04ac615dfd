import Foundation

/// Runs `body` on a new thread.
func runThread(_ body: @escaping @Sendable () -> Void) {
  let thread = Thread(block: body)
  thread.stackSize = 4 << 20
  thread.start()
}

/// Runs `body(0)`, ..., `body(count - 1)` on as many threads at once and returns when all are done.
func runThreads(_ count: Int, _ body: @escaping @Sendable (Int) -> Void) {
  let group = DispatchGroup()
  for index in 0..<count {
    group.enter()
    runThread {
      body(index)
      group.leave()
    }
  }
  group.wait()
}
