public import Torch

/// How the gradients of a bucket become those of all ranks, in place of the all-reduce of `ddp`.
///
/// A hook is called for each bucket during backward, on every rank in the same order, and returns at once: it begins a
/// collective and says what is to follow. What it returns, as many numbers as the buffer has and of the same type, becomes
/// the gradients; hooks average, where `ddp` does.
///
/// ```swift
/// struct HalfWidthGradients: CommunicationHook {
///   func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
///     let half = bucket.buffer.to(.bfloat16) / Double(group.size)
///     return try group.pendingAllReduce(half).map { $0.to(bucket.buffer.dtype) }
///   }
/// }
/// ```
///
/// See PyTorch's `DistributedDataParallel.register_comm_hook`.
public protocol CommunicationHook {
  /// What messages call it.
  var name: String { get }

  /// Called on all ranks before the first step of a fit; forgets what an earlier fit left.
  ///
  /// - Throws: ``CommunicationHookError`` when the gradients of these parameters cannot be reduced so.
  func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws

  /// Begins the reduction of a bucket.
  func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor

  /// What has to be in a checkpoint so that training can go on exactly. Called on all ranks; that of rank 0 is kept.
  func state(in group: ProcessGroup) throws -> ArchiveDictionary

  /// Takes over the state of a checkpoint, which another number of ranks may have written. Called on all ranks after
  /// ``prepare(_:in:)``.
  func load(_ state: ArchiveDictionary, in group: ProcessGroup) throws
}

extension CommunicationHook {
  public var name: String { "\(type(of: self))" }
  public func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws {}
  public func state(in group: ProcessGroup) throws -> ArchiveDictionary { [:] }
  public func load(_ state: ArchiveDictionary, in group: ProcessGroup) throws {}

  /// Refuses parameters of other types than `supported`.
  package func require(
    _ supported: Set<DType>, of parameters: [ReducedParameter], instead suggestion: String
  ) throws(CommunicationHookError) {
    guard let wrong = parameters.first(where: { !supported.contains($0.dtype) }) else { return }
    throw CommunicationHookError(
      hook: name, problem: "cannot reduce the gradient of '\(wrong.name)', which is \(wrong.dtype)",
      suggestion: suggestion)
  }
}

/// What a hook cannot do, found before the first step.
public struct CommunicationHookError: Error, Sendable, CustomStringConvertible {
  /// The name of the hook.
  public let hook: String
  public let problem: String
  /// What to do about it.
  public let suggestion: String

  public init(hook: String, problem: String, suggestion: String) {
    self.hook = hook
    self.problem = problem
    self.suggestion = suggestion
  }

  public var description: String { "communication hook \(hook) \(problem); \(suggestion)" }
}
