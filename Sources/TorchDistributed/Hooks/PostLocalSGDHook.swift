public import Torch

/// Gradients that are averaged over all ranks at first, and later over few ranks or none: post-local SGD.
///
/// From `startStep` on the models of the ranks differ, and a ``ModelAveraging`` brings them together every few steps. With
/// `startStep` 0 and `groupSize` 1 it is local SGD.
///
/// See "Don't Use Large Mini-Batches, Use Local SGD", https://arxiv.org/abs/1808.07217, and PyTorch's `post_localSGD_hook`.
public final class PostLocalSGDHook: CommunicationHook {
  /// How many steps are averaged over all ranks first, at least 0; PyTorch's `start_localSGD_iter`.
  public let startStep: Int
  /// How many consecutive ranks average their gradients later on; 1 for no averaging, nil for the ranks of a node.
  public let groupSize: Int?
  /// The ranks of a node, when the strategy knows it.
  package var ranksPerNode: Int?
  private var step = 0
  private var subgroup: ProcessGroup?

  public init(startStep: Int, groupSize: Int? = nil) {
    self.startStep = startStep
    self.groupSize = groupSize
  }

  public var name: String { "postLocalSGD" }

  /// Whether the models of the ranks may differ by now.
  package var isLocal: Bool { step > startStep }

  public func prepare(_ parameters: [ReducedParameter], in group: ProcessGroup) throws {
    if startStep < 0 {
      throw CommunicationHookError(hook: name, problem: "has startStep \(startStep)", suggestion: "give at least 0")
    }
    let count = groupSize ?? ranksPerNode ?? group.size
    guard count > 0, group.size % count == 0 else {
      throw CommunicationHookError(
        hook: name, problem: "cannot divide \(group.size) ranks into groups of \(count)",
        suggestion: "give a groupSize that divides \(group.size), or 1 for no averaging")
    }
    step = 0
    subgroup = count == 1 ? nil : try group.subgroup(ofSize: count)
  }

  public func callAsFunction(_ bucket: GradientBucket, in group: ProcessGroup) throws -> PendingTensor {
    let isLocal = step >= startStep
    if bucket.isLast { step += 1 }
    if !isLocal { return try AllReduceHook.mean(of: bucket.buffer, in: group) }
    guard let subgroup else { return PendingTensor(bucket.buffer) }
    return try AllReduceHook.mean(of: bucket.buffer, in: subgroup)
  }

  public func state(in group: ProcessGroup) throws -> ArchiveDictionary { ["step": .int(step)] }

  public func load(_ state: ArchiveDictionary, in group: ProcessGroup) throws {
    step = state["step"]?.intValue ?? 0
  }
}

extension CommunicationHook where Self == PostLocalSGDHook {
  /// Averaging over all ranks at first, over few later on; see ``PostLocalSGDHook``.
  ///
  /// - Parameters:
  ///   - startStep: how many steps are averaged over all ranks first.
  ///   - groupSize: how many consecutive ranks average their gradients later; 1 for none, nil for the ranks of a node.
  public static func postLocalSGD(startStep: Int, groupSize: Int? = nil) -> PostLocalSGDHook {
    PostLocalSGDHook(startStep: startStep, groupSize: groupSize)
  }

  /// No averaging of gradients at all: the models alone are averaged.
  public static var localSGD: PostLocalSGDHook { PostLocalSGDHook(startStep: 0, groupSize: 1) }
}
