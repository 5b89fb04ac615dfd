internal import CTorch
internal import Glibc
public import Torch

/// Averages gradients over the ranks while backward runs: libtorch's own c10d `Reducer`.
///
/// Gradients are packed into buckets; a bucket is all-reduced as soon as its last gradient is ready, so that
/// communication overlaps with the rest of backward.
/// See "PyTorch Distributed: Experiences on Accelerating Data Parallel Training", https://arxiv.org/abs/2006.15704.
public final class GradientReducer {
  /// Parameters by name, bucket after bucket.
  public typealias Layout = [[String]]

  public struct Options: Sendable {
    /// Bytes of the buckets, after a first one of `firstBucketByteCount`.
    public var bucketByteCount = 25 << 20
    public var firstBucketByteCount = 1 << 20
    /// Look for parameters that do not take part in each step; costs a walk of the graph a step.
    public var findUnusedParameters = false
    /// Let gradients be views of the buckets: saves their memory and a copy.
    public var gradientAsBucketView = false
    /// The same parameters take part in every step, in the same order.
    public var staticGraph = false

    public init() {}
  }

  private let handle: OpaquePointer
  private let group: ProcessGroup
  private let parameters: [Tensor]
  private let names: [String]
  private let options: Options
  private let runner: HookRunner?
  private var isFirstBackward = true
  private var forwardCount = 0

  /// - Parameters:
  ///   - parameters: leaves that require gradients, with names for error messages; the same on all ranks.
  ///   - hook: what reduces the buckets instead of an all-reduce; prepared by now.
  ///   - layout: the buckets until they are arranged anew; nil, or one that does not fit, assigns by size.
  /// - Throws: ``DistributedError`` when the shapes differ between ranks.
  public init(
    parameters: [(name: String, tensor: Tensor)], group: ProcessGroup, options: Options = Options(),
    hook: (any CommunicationHook)? = nil, layout: Layout? = nil
  ) throws(DistributedError) {
    let (order, buckets) = Self.assignment(layout, of: parameters.map(\.name)) ?? ([], [])
    let tensors = parameters.map(\.tensor)
    let handles = tensors.map(\.handle) as [OpaquePointer?]
    let names = parameters.map(\.name)
    let copies = names.map { strdup($0) }
    defer { for copy in copies { free(copy) } }
    let created = withoutGradients {
      ct_reducer_create(
        group.handle, handles, copies.map { UnsafePointer($0) }, handles.count,
        ct_reducer_options(
          first_bucket_bytes: options.firstBucketByteCount, bucket_bytes: options.bucketByteCount,
          find_unused_parameters: options.findUnusedParameters,
          gradient_as_bucket_view: options.gradientAsBucketView, static_graph: options.staticGraph),
        order.isEmpty ? nil : order, order.isEmpty ? nil : buckets)
    }
    withExtendedLifetime((tensors, group)) {}
    guard let created else {
      throw .last("gradient reducer", rank: group.rank) { ReducerMessage($0, names: names).text }
    }
    handle = created
    self.names = names
    self.group = group
    self.parameters = tensors
    self.options = options
    runner = hook.map { HookRunner($0, group, tensors, names) }
    if let runner, !runner.attach(to: handle) { throw failure() }
  }

  /// Numbers of parameters and of their buckets; nil when the layout is not one of these parameters.
  private static func assignment(_ layout: Layout?, of names: [String]) -> (order: [Int], buckets: [Int])? {
    let known = Dictionary(names.enumerated().map { ($1, $0) }) { first, _ in first }
    let listed = layout?.enumerated().flatMap { bucket, names in names.map { (name: $0, bucket: bucket) } } ?? []
    let order = listed.compactMap { known[$0.name] }
    guard order.count == names.count, Set(order).count == names.count else { return nil }
    return (order, listed.map(\.bucket))
  }

  deinit { ct_reducer_release(handle) }

  public var bucketCount: Int { ct_reducer_bucket_count(handle) }

  /// The buckets as they are at the moment.
  public var layout: Layout {
    var order = Array(repeating: 0, count: names.count)
    var buckets = order
    guard ct_reducer_assignment(handle, &order, &buckets) else { return [] }
    var layout = Layout(repeating: [], count: (buckets.last ?? -1) + 1)
    for (parameter, bucket) in zip(order, buckets) { layout[bucket].append(names[parameter]) }
    return layout
  }

  /// Call before a forward whose gradients are to be reduced; omit it (and ``prepareForBackward(outputs:)``) for
  /// micro-batches that only accumulate.
  public func prepareForForward() throws(DistributedError) {
    // The second time c10d arranges the buckets anew, in the order of rank 0's gradients.
    let rearranges = forwardCount == 1
    forwardCount += 1
    if rearranges { group.activity.enter(.buckets) }
    guard ct_reducer_prepare_forward(handle) else { throw failure() }
    runner?.begin(bucketCount: bucketCount)
    if rearranges { group.activity.leave() }
  }

  /// Call after forward with the tensors that backward starts from.
  public func prepareForBackward(outputs: [Tensor]) throws(DistributedError) {
    let roots = options.findUnusedParameters ? outputs : []
    let handles = roots.map(\.handle) as [OpaquePointer?]
    let succeeded = ct_reducer_prepare_backward(handle, handles, handles.count)
    withExtendedLifetime(roots) {}
    guard succeeded else { throw failure() }
    group.activity.enter(.gradients)
  }

  /// Call after backward of a reduced step.
  public func finishBackward() throws(DistributedError) {
    // After a failure, whose error comes at the end of its scope, the activity still tells what was waited for.
    if group.activity.snapshot().waited < group.timeout { group.activity.leave() }
    guard options.staticGraph, isFirstBackward else { return }
    isFirstBackward = false
    guard ct_reducer_finish_static_graph(handle) else { throw failure() }
  }

  private func failure() -> DistributedError {
    .last("gradient reducer", rank: group.rank) { ReducerMessage($0, names: names).text }
  }
}
