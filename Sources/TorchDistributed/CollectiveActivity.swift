internal import Glibc
internal import Synchronization

/// What a rank does in its process group at the moment, as other threads may read it.
///
/// A few stores to memory per collective and no allocation, so that it can always be kept.
public final class CollectiveActivity: Sendable {
  /// What a rank may wait in.
  public enum Kind: UInt8, Sendable, CaseIterable {
    case none, allReduce, broadcast, allGather, reduceScatter, allToAll, send, receive, barrier, gradients, buckets
    case preparation

    /// As it stands in messages.
    public var label: String {
      switch self {
      case .none: "no collective"
      case .allReduce: "an all-reduce"
      case .broadcast: "a broadcast"
      case .allGather: "an all-gather"
      case .reduceScatter: "a reduce-scatter"
      case .allToAll: "an all-to-all"
      case .send: "a send"
      case .receive: "a receive"
      case .barrier: "a barrier"
      case .gradients: "backward with its all-reduce of gradients"
      case .buckets: "the agreement on the order of gradients"
      case .preparation: "the wait for the data to be prepared"
      }
    }
  }

  /// What the program is doing when it comes to a collective.
  public enum Place: UInt8, Sendable {
    case none, training, validation, test, prediction

    /// As it stands in messages.
    public var label: String {
      switch self {
      case .none: "before the first batch"
      case .training: "training batch"
      case .validation: "validation batch"
      case .test: "test batch"
      case .prediction: "prediction batch"
      }
    }
  }

  private let kind = Atomic<UInt8>(0)
  private let since = Atomic<UInt64>(0)
  private let started = Atomic<Int>(0)
  private let completedKind = Atomic<UInt8>(0)
  private let completedAt = Atomic<UInt64>(0)
  private let place = Atomic<UInt8>(0)
  private let batches = Atomic<Int>(0)
  private let subject = Mutex<String?>(nil)

  /// Makes the activity of a rank that waits for nothing.
  public init() {}

  /// The rank begins to wait.
  public func enter(_ kind: Kind) {
    since.store(Self.now(), ordering: .relaxed)
    started.wrappingAdd(1, ordering: .relaxed)
    self.kind.store(kind.rawValue, ordering: .releasing)
  }

  /// The rank has what it waited for.
  public func leave() {
    completedKind.store(kind.load(ordering: .relaxed), ordering: .relaxed)
    completedAt.store(Self.now(), ordering: .relaxed)
    kind.store(0, ordering: .releasing)
  }

  /// Runs `body`, whose collectives are about something that has a name, such as the gradients of some parameters.
  public func about<Result, Failure: Error>(_ name: String, _ body: () throws(Failure) -> Result) throws(Failure)
    -> Result
  {
    let outer = subject.withLock { held in
      defer { held = name }
      return held
    }
    let result = try body()
    // After a failure the activity still tells what was waited for.
    subject.withLock { $0 = outer }
    return result
  }

  /// The rank begins a batch.
  public func beginBatch(_ place: Place) {
    if self.place.exchange(place.rawValue, ordering: .relaxed) != place.rawValue {
      batches.store(0, ordering: .relaxed)
    }
    batches.wrappingAdd(1, ordering: .relaxed)
  }

  /// What the rank does now.
  public func snapshot() -> Snapshot {
    let now = Self.now()
    let kind = Kind(rawValue: kind.load(ordering: .acquiring)) ?? .none
    func seconds(_ moment: UInt64) -> Double { moment == 0 || moment > now ? 0 : Double(now - moment) * 1e-9 }
    return Snapshot(
      kind: kind, waited: kind == .none ? 0 : seconds(since.load(ordering: .relaxed)),
      number: started.load(ordering: .relaxed),
      completed: Kind(rawValue: completedKind.load(ordering: .relaxed)) ?? .none,
      sinceCompletion: seconds(completedAt.load(ordering: .relaxed)),
      place: Place(rawValue: place.load(ordering: .relaxed)) ?? .none, batch: batches.load(ordering: .relaxed),
      subject: kind == .none ? nil : subject.withLock { $0 })
  }

  /// What a rank did at a moment.
  public struct Snapshot: Sendable, Hashable {
    /// What it waits in.
    public let kind: Kind
    /// Seconds since it began to wait.
    public let waited: Double
    /// How many collectives it has begun.
    public let number: Int
    /// The last collective that it completed.
    public let completed: Kind
    /// Seconds since then.
    public let sinceCompletion: Double
    public let place: Place
    /// The number of the batch among those of its place without a break, from 1.
    public let batch: Int
    /// What the collective that it waits in is about, when that has a name.
    public let subject: String?
  }

  private static func now() -> UInt64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return UInt64(time.tv_sec) * 1_000_000_000 + UInt64(time.tv_nsec)
  }
}

extension CollectiveActivity.Snapshot: CustomStringConvertible {
  /// Such as `waits in a barrier for 31 s (collective 17, training batch 5)`.
  public var description: String {
    let at = place == .none ? place.label : "\(place.label) \(batch)"
    func rounded(_ seconds: Double) -> String {
      seconds < 10 ? "\((seconds * 10).rounded() / 10) s" : "\(Int(seconds.rounded())) s"
    }
    let what = subject.map { "\(kind.label) of \($0)" } ?? kind.label
    if kind != .none { return "waits in \(what) for \(rounded(waited)) (collective \(number), \(at))" }
    if completed == .none { return "is in code of its own and has come to no collective yet" }
    return "is in code of its own (\(at)); it completed \(completed.label) (collective \(number)) "
      + "\(rounded(sinceCompletion)) ago"
  }
}
