internal import Glibc

/// Decides who may touch the weights: the training thread, or the thread that averages them in the background.
///
/// Training comes back for the lock at once after it has let go; therefore it waits for an averaging that has asked.
final class WeightLock: @unchecked Sendable {
  private let lock: UnsafeMutablePointer<pthread_mutex_t>
  private let changed: UnsafeMutablePointer<pthread_cond_t>
  private var isTraining = false
  private var isAveraging = false
  private var averagingWaits = false

  init() {
    lock = .allocate(capacity: 1)
    changed = .allocate(capacity: 1)
    pthread_mutex_init(lock, nil)
    pthread_cond_init(changed, nil)
  }

  deinit {
    pthread_cond_destroy(changed)
    pthread_mutex_destroy(lock)
    changed.deallocate()
    lock.deallocate()
  }

  /// Takes the lock for training; nothing happens when training has it.
  func lockForTraining() {
    locked {
      guard !isTraining else { return }
      while isAveraging || averagingWaits { pthread_cond_wait(changed, lock) }
      isTraining = true
    }
  }

  /// Lets go of the lock; nothing happens when training does not have it.
  func unlockForTraining() {
    locked {
      isTraining = false
      pthread_cond_broadcast(changed)
    }
  }

  /// Runs `body` while training does not have the lock.
  func averaging<Result>(_ body: () throws -> Result) rethrows -> Result {
    locked {
      averagingWaits = true
      while isTraining { pthread_cond_wait(changed, lock) }
      averagingWaits = false
      isAveraging = true
    }
    defer {
      locked {
        isAveraging = false
        pthread_cond_broadcast(changed)
      }
    }
    return try body()
  }

  private func locked(_ body: () -> Void) {
    pthread_mutex_lock(lock)
    body()
    pthread_mutex_unlock(lock)
  }
}
