internal import CTorch
internal import Glibc
internal import Torch

/// Runs a hook for the reducer, which calls it from backward.
final class HookRunner {
  private let hook: any CommunicationHook
  private let group: ProcessGroup
  private let parameters: [Tensor]
  private let names: [String]
  /// The buckets of the present backward, in order.
  private var started: [(bucket: GradientBucket, result: PendingTensor)] = []
  /// How many of them the reducer has back.
  private var finishedCount = 0
  private var bucketCount = 0

  init(_ hook: any CommunicationHook, _ group: ProcessGroup, _ parameters: [Tensor], _ names: [String]) {
    self.hook = hook
    self.group = group
    self.parameters = parameters
    self.names = names
  }

  /// Begins a step with so many buckets; forgets what a failed backward left behind.
  func begin(bucketCount: Int) {
    started = []
    finishedCount = 0
    self.bucketCount = bucketCount
  }

  /// Lets the hook reduce the buckets of a reducer.
  func attach(to reducer: OpaquePointer) -> Bool {
    ct_reducer_set_hook(
      reducer,
      { context, bucket in
        guard let context, let bucket else { return nil }
        return Unmanaged<HookRunner>.fromOpaque(context).takeUnretainedValue().start(bucket.pointee)
      },
      { context, problem in
        guard let context, let problem else { return nil }
        return Unmanaged<HookRunner>.fromOpaque(context).takeUnretainedValue().finish(problem)
      }, Unmanaged.passRetained(self).toOpaque(),
      { context in
        if let context { Unmanaged<HookRunner>.fromOpaque(context).release() }
      })
  }

  private func start(_ raw: ct_gradient_bucket) -> UnsafeMutablePointer<CChar>? {
    let numbers = (0..<raw.count).map { raw.parameters[$0] }
    let bucket = GradientBucket(
      index: started.count, isLast: started.count + 1 == bucketCount, buffer: Tensor(borrowing: raw.buffer),
      parameters: numbers.map { parameters[$0] }, names: numbers.map { names[$0] })
    do {
      let result = try withErrorScope { try withoutGradients { try hook(bucket, in: group) } }
      started.append((bucket, result))
      return nil
    } catch {
      return strdup(message(error, bucket))
    }
  }

  private func finish(_ problem: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>) -> OpaquePointer? {
    do {
      if finishedCount == 0 { try completeAll() }
      guard finishedCount < started.count, let result = started[finishedCount].result.result else {
        throw HookFailure(message: "communication hook \(hook.name) has no result for bucket \(finishedCount)")
      }
      finishedCount += 1
      if finishedCount == started.count {
        started = []
        // The waits of the hook are over, backward is not.
        group.activity.enter(.gradients)
      }
      return ct_tensor_retain(result.handle)
    } catch let error as HookFailure {
      problem.pointee = strdup(error.message)
    } catch {
      problem.pointee = strdup("\(error)")
    }
    return nil
  }

  /// Waits for the buckets in turn, for a collective of each at a time, so that those that follow overlap; in the same
  /// order on all ranks.
  private func completeAll() throws {
    var isComplete = false
    while !isComplete {
      isComplete = true
      for place in started.indices where started[place].result.result == nil {
        let (bucket, pending) = started[place]
        do {
          started[place].result = try withErrorScope { try withoutGradients { try pending.advanced() } }
        } catch {
          throw HookFailure(message: message(error, bucket))
        }
        isComplete = false
      }
    }
    for (bucket, result) in started { try check(result.result, bucket) }
  }

  private func check(_ result: Tensor?, _ bucket: GradientBucket) throws {
    guard let result else { return }
    let expected = bucket.buffer
    guard result.count != expected.count || result.dtype != expected.dtype else { return }
    throw HookFailure(
      message: message(
        "it returned \(result.shape) \(result.dtype) for a buffer of \(expected.shape) \(expected.dtype); return as many "
          + "numbers of the same type", bucket))
  }

  private func message(_ error: Any, _ bucket: GradientBucket) -> String {
    let parameters = bucket.names.prefix(3).joined(separator: ", ") + (bucket.names.count > 3 ? ", ..." : "")
    let reason = (error as? TorchError).map { "\($0.operation): \($0.message)" } ?? "\(error)"
    return "communication hook \(hook.name) failed on rank \(group.rank) in bucket \(bucket.index) (\(parameters)): "
      + reason
  }
}

private struct HookFailure: Error {
  let message: String
}
