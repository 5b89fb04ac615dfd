import Torch

/// Threads that load batches ahead, and the bounded, ordered queue they fill.
///
/// Each thread claims the next number, loads that batch and puts it in its place; so the order does not depend on which
/// thread is faster. No more than `capacity` batches are claimed and not yet taken.
final class PrefetchQueue<Batch>: @unchecked Sendable {
  private typealias Outcome = Result<LoadedBatch<Batch>, DataLoadingError>

  private let source: BatchSource<Batch>
  private let capacity: Int
  private let monitor = Monitor()
  private var threads: [WorkerThread] = []

  // Guarded by the monitor.
  private var nextToClaim: Int
  private var nextToTake: Int
  private var end: Int
  private var outcomes: [Outcome?]

  /// Starts the threads. When the system refuses them all, batches are loaded as they are taken.
  init(_ source: BatchSource<Batch>, from start: Int, capacity: Int, threads count: Int) {
    self.source = source
    self.capacity = capacity
    nextToClaim = start
    nextToTake = start
    end = source.count
    outcomes = Array(repeating: nil, count: capacity)
    for _ in 0..<count {
      guard let thread = WorkerThread({ [self] in work() }) else { break }
      threads.append(thread)
    }
  }

  /// The next batch in order, waiting until it is loaded.
  func take() throws(DataLoadingError) -> LoadedBatch<Batch> {
    guard !threads.isEmpty else {
      defer { nextToTake += 1 }
      return try source.load(nextToTake)
    }
    let outcome: Outcome = monitor.locked {
      let place = nextToTake % capacity
      while true {
        if let outcome = outcomes[place] {
          outcomes[place] = nil
          nextToTake += 1
          monitor.signalAll()
          return outcome
        }
        monitor.wait()
      }
    }
    return try outcome.get()
  }

  /// Lets the threads finish what they are loading, and waits for them.
  func stop() {
    monitor.locked {
      end = 0
      monitor.signalAll()
    }
    for thread in threads { thread.join() }
    threads = []
  }

  private func work() {
    TorchRuntime.threadCount = 1
    while let index = claim() {
      let outcome: Outcome
      do throws(DataLoadingError) {
        outcome = .success(try source.load(index))
      } catch {
        outcome = .failure(error)
      }
      monitor.locked {
        if case .failure = outcome { end = min(end, index + 1) }
        outcomes[index % capacity] = outcome
        monitor.signalAll()
      }
    }
  }

  /// The number of the next batch to load; `nil` when there is none left.
  private func claim() -> Int? {
    monitor.locked {
      while nextToClaim < end, nextToClaim >= nextToTake + capacity { monitor.wait() }
      guard nextToClaim < end else { return nil }
      defer { nextToClaim += 1 }
      return nextToClaim
    }
  }
}
