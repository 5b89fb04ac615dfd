import Glibc

/// A thread that calls a function at a fixed interval until it is stopped.
///
/// All signals are blocked on it, so that Ctrl-C reaches the thread that handles it.
final class TickThread: @unchecked Sendable {
  private let interval: Double
  private let body: @Sendable () -> Void
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let wake: UnsafeMutablePointer<pthread_cond_t>
  private var isStopped = false
  private var thread: pthread_t?

  /// Starts calling `body` every `interval` seconds, the first time after one interval.
  init(interval: Double, body: @escaping @Sendable () -> Void) {
    self.interval = interval
    self.body = body
    lock = .allocate(capacity: 1)
    wake = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    var attributes = pthread_condattr_t()
    pthread_condattr_init(&attributes)
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC)
    pthread_cond_init(wake, &attributes)
    pthread_condattr_destroy(&attributes)

    var (all, previous) = (sigset_t(), sigset_t())
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    var started = pthread_t()
    let context = Unmanaged.passRetained(self)
    let code = pthread_create(
      &started, nil,
      { context in
        Unmanaged<TickThread>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    pthread_sigmask(SIG_SETMASK, &previous, nil)
    if code == 0 {
      thread = started
    } else {
      context.release()
    }
  }

  deinit {
    pthread_cond_destroy(wake)
    pthread_mutex_destroy(lock)
    wake.deallocate()
    lock.deallocate()
  }

  /// Ends the thread and waits until it has ended; called from `body`, it ends after that call.
  func stop() {
    guard let thread else { return }
    pthread_mutex_lock(lock)
    isStopped = true
    pthread_cond_signal(wake)
    pthread_mutex_unlock(lock)
    if pthread_equal(thread, pthread_self()) != 0 {
      pthread_detach(thread)
    } else {
      pthread_join(thread, nil)
    }
    self.thread = nil
  }

  private func run() {
    pthread_mutex_lock(lock)
    while !isStopped {
      var deadline = timespec()
      clock_gettime(CLOCK_MONOTONIC, &deadline)
      let nanoseconds = deadline.tv_nsec + Int(interval * 1e9)
      deadline.tv_sec += nanoseconds / 1_000_000_000
      deadline.tv_nsec = nanoseconds % 1_000_000_000
      while !isStopped, pthread_cond_timedwait(wake, lock, &deadline) == 0 {}
      if isStopped { break }
      pthread_mutex_unlock(lock)
      body()
      pthread_mutex_lock(lock)
    }
    pthread_mutex_unlock(lock)
  }
}
