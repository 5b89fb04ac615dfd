internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Averages the gradients of a module over the ranks after backward, in buckets of several parameters.
///
/// A bucket ends with one number per parameter that tells whether this rank has a gradient of it: a parameter that has one
/// on some ranks gets the sum of those divided by the number of ranks, one that has none anywhere stays without.
final class FlatReducer {
  /// Parameters whose gradients cross the ranks together.
  private struct Bucket {
    var tensors: [Tensor] = []
    var count = 0
    let dtype: DType
    let device: Device
  }

  private let module: Module
  private let group: ProcessGroup
  private let bucketByteCount: Int
  private var trained: [Tensor] = []
  private var buckets: [Bucket] = []

  init(_ module: Module, group: ProcessGroup, bucketByteCount: Int) {
    self.module = module
    self.group = group
    self.bucketByteCount = bucketByteCount
  }

  /// Replaces the gradients by their means over the ranks. Called on all ranks.
  func reduce() throws {
    try withoutGradients {
      rebuildIfNeeded()
      let pending = try buckets.map { bucket in
        let flat = flattened(bucket)
        return (flat: flat, work: try group.startAllReduce(flat, by: .mean))
      }
      for (bucket, (flat, work)) in zip(buckets, pending) {
        try work.wait()
        try takeApart(flat, bucket)
      }
    }
  }

  /// The last parameters first: backward reaches them first, as it does those of `ddp`.
  private func rebuildIfNeeded() {
    let current = module.parameters().filter(\.requiresGradient).map(\.tensor)
    if current.count == trained.count, zip(current, trained).allSatisfy({ $0 === $1 }) { return }
    trained = current
    buckets = []
    for tensor in current.reversed() {
      if let last = buckets.last, last.dtype == tensor.dtype, last.device == tensor.device,
        (last.count + tensor.count) * (tensor.byteCount / max(1, tensor.count)) <= bucketByteCount
      {
        buckets[buckets.count - 1].tensors.append(tensor)
        buckets[buckets.count - 1].count += tensor.count
      } else {
        buckets.append(
          Bucket(tensors: [tensor], count: tensor.count, dtype: tensor.dtype, device: tensor.device))
      }
    }
  }

  private func flattened(_ bucket: Bucket) -> Tensor {
    let gradients = bucket.tensors.map(\.gradient)
    let parts = zip(bucket.tensors, gradients).map { tensor, gradient in
      gradient?.reshaped([-1]) ?? .zeros([tensor.count], dtype: bucket.dtype, device: bucket.device)
    }
    let presence = Tensor(gradients.map { $0 == nil ? 0 : 1 } as [Float]).to(bucket.dtype).to(bucket.device)
    return .cat(parts + [presence])
  }

  private func takeApart(_ flat: Tensor, _ bucket: Bucket) throws {
    let presence = try flat[bucket.count...].to(.float32).to(.cpu).array(as: Float.self)
    var start = 0
    for (tensor, isPresent) in zip(bucket.tensors, presence) {
      let mean = flat.narrowed(dim: 0, start: start, length: tensor.count).reshaped(tensor.shape)
      start += tensor.count
      if let gradient = tensor.gradient {
        gradient.copy(from: mean)
      } else if isPresent > 0 {
        tensor.gradient = mean.clone()
      }
    }
  }
}
