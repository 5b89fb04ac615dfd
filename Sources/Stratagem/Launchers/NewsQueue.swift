import CProcess
import Glibc

/// Descriptors that have something to read, in the order in which they came to have it.
///
/// The order is the kernel's and does not depend on when it is asked for, unlike that in which `poll` finds descriptors.
final class NewsQueue {
  /// Readable when there is news, for a `poll` set; -1 when there can be no queue.
  let descriptor = cp_news_create()
  private var count: Int32 = 0

  deinit { if descriptor >= 0 { close(descriptor) } }

  /// Adds a descriptor and returns whether it is told of from now on.
  func add(_ descriptor: Int32, _ number: Int) -> Bool {
    guard cp_news_add(self.descriptor, descriptor, UInt32(number)) == 0 else { return false }
    count += 1
    return true
  }

  /// Removes a descriptor, before it is closed.
  func remove(_ descriptor: Int32) {
    if cp_news_remove(self.descriptor, descriptor) == 0 { count -= 1 }
  }

  /// The numbers of the descriptors that have something to read, first come first; does not wait.
  func take() -> [Int] {
    guard count > 0 else { return [] }
    var numbers = [UInt32](repeating: 0, count: Int(count))
    let found = cp_news_take(descriptor, &numbers, count)
    return numbers.prefix(Int(max(0, found))).map { Int($0) }
  }
}
