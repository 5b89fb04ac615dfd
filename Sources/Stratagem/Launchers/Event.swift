import CProcess
import Glibc

/// A latch that threads can wait for with a time limit, and that can stand in a `poll` set.
final class Event: Sendable {
  let descriptor: Int32

  init() {
    descriptor = cp_event()
  }

  deinit {
    close(descriptor)
  }

  /// Sets the event; all present and future waits return.
  func signal() {
    var one: UInt64 = 1
    _ = write(descriptor, &one, MemoryLayout<UInt64>.size)
  }

  /// Clears the event.
  func reset() {
    var value: UInt64 = 0
    _ = read(descriptor, &value, MemoryLayout<UInt64>.size)
  }

  /// Waits until the event is set and returns whether it was, within `seconds`.
  @discardableResult
  func wait(seconds: Double) -> Bool {
    let deadline = Deadline(after: seconds)
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    repeat {
      if poll(&entry, 1, deadline.milliseconds) > 0 { return true }
    } while !deadline.hasPassed
    return false
  }

  /// Waits for what another thread or process of this machine does within `seconds` of ``Patience``.
  @discardableResult
  func wait(patience seconds: Double) -> Bool {
    var patience = Patience(seconds)
    var entry = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
    repeat {
      if poll(&entry, 1, patience.milliseconds) > 0 { return true }
    } while !patience.isOver()
    return false
  }

  var isSet: Bool { wait(seconds: 0) }
}
