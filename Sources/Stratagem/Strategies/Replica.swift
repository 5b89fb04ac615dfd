internal import Torch

/// One of several places where the same model computes at once: what belongs to the thread of a replica during a step.
final class Replica {
  /// 0 for the replica of the main thread, which uses the parameters themselves.
  let index: Int
  /// Where it computes.
  let device: Device
  /// The source of its random numbers on the processor; replica 0 draws from the default generator, and so does the only
  /// replica of a device that has a default generator of its own.
  private let generator: Generator?
  /// Samples of the batch at hand in this replica.
  private(set) var sampleCount = 0
  /// What the step at hand logged.
  private(set) var metrics: [ReplicaMetric] = []

  init(index: Int, device: Device) {
    self.index = index
    self.device = device
    generator = index == 0 || device != .cpu ? nil : Generator(seed: 0)
  }

  /// The replica whose step the calling thread runs; nil outside of steps and for a model without replicas.
  static var current: Replica? {
    ThreadSlot.value.map { Unmanaged<Replica>.fromOpaque($0).takeUnretainedValue() }
  }

  /// The number of the replica whose step the calling thread runs; 0 outside of steps.
  static var currentIndex: Int {
    guard let slot = ThreadSlot.value else { return 0 }
    return Unmanaged<Replica>.fromOpaque(slot)._withUnsafeGuaranteedRef { $0.index }
  }

  /// Keeps a metric until all replicas have ended the step.
  func record(_ metric: ReplicaMetric) { metrics.append(metric) }

  /// Runs a step of the module on the calling thread, with the modes of the main thread.
  ///
  /// - Parameter seed: of the random numbers of this step, the same for all replicas.
  func run<Output>(
    sampleCount: Int, state: ThreadState, seed: UInt64, _ body: () throws -> Output
  ) -> Result<Output, any Error> {
    self.sampleCount = sampleCount
    metrics.removeAll(keepingCapacity: true)
    ThreadSlot.value = Unmanaged.passUnretained(self).toOpaque()
    defer { ThreadSlot.value = nil }
    return Result {
      if index == 0 { return try withErrorScope(body) }
      return try state.apply {
        guard let generator else { return try withErrorScope(body) }
        return try generator.serveThread(seed: seed &+ UInt64(index) &* 0x9E37_79B9_7F4A_7C15) {
          try withErrorScope(body)
        }
      }
    }
  }

  /// Runs backward of a step on the calling thread. A forward that is repeated in it, of a checkpointed layer, reads and draws
  /// what it did in the step.
  func runBackward(state: ThreadState, _ body: () throws -> Void) throws {
    ThreadSlot.value = Unmanaged.passUnretained(self).toOpaque()
    defer { ThreadSlot.value = nil }
    if index == 0 { return try body() }
    try state.apply {
      guard let generator else { return try body() }
      try generator.serveThread(seed: 0, body)
    }
  }
}
