import Glibc

/// A lock that can be waited in.
package final class Monitor: @unchecked Sendable {
  private let mutex = UnsafeMutablePointer<pthread_mutex_t>.allocate(capacity: 1)
  private let condition = UnsafeMutablePointer<pthread_cond_t>.allocate(capacity: 1)

  package init() {
    pthread_mutex_init(mutex, nil)
    pthread_cond_init(condition, nil)
  }

  deinit {
    pthread_cond_destroy(condition)
    pthread_mutex_destroy(mutex)
    condition.deallocate()
    mutex.deallocate()
  }

  /// Runs `body` while no other thread is in the monitor.
  package func locked<Value>(_ body: () -> Value) -> Value {
    pthread_mutex_lock(mutex)
    defer { pthread_mutex_unlock(mutex) }
    return body()
  }

  /// Leaves the monitor until it is signalled; call it inside ``locked(_:)``, and check again what was waited for.
  package func wait() { pthread_cond_wait(condition, mutex) }

  /// Wakes all threads that wait.
  package func signalAll() { pthread_cond_broadcast(condition) }
}
