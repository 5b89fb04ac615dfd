internal import CProcess
internal import Glibc
internal import Torch

/// Threads that wait for work and do it together with the thread that asks: number 0 is the asking thread.
///
/// They live as long as a run. Handing over costs a few microseconds while they watch for work, some more once they
/// have gone to sleep; they watch only where each thread can have a processor of its own.
final class ReplicaThreads {
  /// A counter that threads wait for.
  private final class Gate: @unchecked Sendable {
    let pointer: OpaquePointer
    init?() {
      guard let pointer = cp_gate_create() else { return nil }
      self.pointer = pointer
    }
    deinit { cp_gate_free(pointer) }
  }

  /// What the threads and their owner share. The gates order all access to `job` and `isEnding`.
  private final class Shared: @unchecked Sendable {
    let starts: [Gate]
    let done: Gate
    let watch: UInt64
    var job: ((Int) -> Void)?
    var isEnding = false

    init(starts: [Gate], done: Gate, watch: UInt64) {
      self.starts = starts
      self.done = done
      self.watch = watch
    }
  }

  /// How long a thread watches for work before it sleeps: longer than the optimizer step of a small model takes.
  private static let watchNanoseconds: UInt64 = 100_000

  /// The number of threads, the asking one included.
  let count: Int
  private let shared: Shared
  private var starts: [UInt32]
  private var done: UInt32 = 0

  /// Starts `count - 1` threads whose operations use one thread each.
  init(count: Int, name: String = "replica") throws(ReplicaError) {
    self.count = count
    starts = Array(repeating: 0, count: count)
    let gates = (0...count).compactMap { _ in Gate() }
    guard gates.count == count + 1 else {
      throw .cannotStart(replica: gates.count, code: ENOMEM)
    }
    let watch = Int(cp_available_processors()) >= count ? Self.watchNanoseconds : 0
    shared = Shared(starts: Array(gates.dropLast()), done: gates[count], watch: watch)
    for index in 1..<max(1, count) {
      let code = BackgroundThread.start("\(name)-\(index)") { [shared] in Self.work(shared, index) }
      if code != 0 {
        end(threads: 1..<index)
        throw .cannotStart(replica: index, code: code)
      }
    }
  }

  deinit { end() }

  /// Ends the threads; afterwards everything runs on the asking thread.
  func end() {
    if !shared.isEnding { end(threads: 1..<max(1, count)) }
  }

  /// Runs `body` with each number in `0..<active`, each on a thread of its own, and returns when all have ended.
  func run(_ active: Int, _ body: (Int) -> Void) {
    guard active > 1 else { return body(0) }
    precondition(active <= count && !shared.isEnding, "\(active) replicas of \(count)")
    withoutActuallyEscaping(body) { body in
      shared.job = body
      for index in 1..<active { open(index) }
      body(0)
      done &+= UInt32(active - 1)
      cp_gate_wait(shared.done.pointer, done, shared.watch)
      shared.job = nil
    }
  }

  private func open(_ index: Int) {
    starts[index] &+= 1
    cp_gate_advance(shared.starts[index].pointer)
  }

  private func end(threads: Range<Int>) {
    shared.isEnding = true
    for index in threads { open(index) }
    done &+= UInt32(threads.count)
    cp_gate_wait(shared.done.pointer, done, shared.watch)
  }

  private static func work(_ shared: Shared, _ index: Int) {
    TorchRuntime.threadCount = 1
    var turn: UInt32 = 0
    repeat {
      turn &+= 1
      cp_gate_wait(shared.starts[index].pointer, turn, shared.watch)
      if !shared.isEnding { shared.job?(index) }
      let isEnding = shared.isEnding
      cp_gate_advance(shared.done.pointer)
      if isEnding { return }
    } while true
  }
}
