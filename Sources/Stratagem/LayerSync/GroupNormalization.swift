internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Batch normalization over the batches of all ranks of a group. C: channels, R: ranks.
struct GroupNormalization {
  let group: ProcessGroup

  /// The statistics of all ranks' batches.
  private struct Statistics {
    /// [C] float64.
    let mean: Tensor
    /// The sum of the squared distances from the mean: [C] float64.
    let squares: Tensor
    /// Values a channel: float64 without dimensions.
    let count: Tensor
  }

  /// `input` [N, C, ...] normalized over all dimensions but the second, and all ranks.
  func normalize(_ input: Tensor, of layer: BatchNorm) -> BatchNorm.NormalizedBatch {
    do {
      // Found before a collective, so that the others are not left waiting.
      guard input.ndim >= 2, input.size(1) == layer.numFeatures else {
        return failed("the layer normalizes [N, \(layer.numFeatures), ...]", input)
      }
      let statistics = try withoutGradients { try gather(input) }
      if input.count <= layer.numFeatures, try statistics.count.scalar() <= 1 {
        return failed("all ranks together must have more than one value per channel to normalize by", input)
      }
      let type = input.dtype.accumulation
      let mean = statistics.mean.to(type)
      let variance = (statistics.squares / statistics.count).to(type)
      let output = withoutGradients {
        // The kernels divide by the number of samples.
        guard input.count > 0 else { return Tensor.empty(input.shape, dtype: input.dtype, device: input.device) }
        return Aten.native_batch_norm(
          input, weight: layer.weight?.to(type), bias: layer.bias?.to(type), running_mean: mean, running_var: variance,
          training: false, momentum: 0, eps: layer.epsilon
        ).0
      }
      record(output, of: input, layer, [mean, variance, statistics.count.to(type)])
      return BatchNorm.NormalizedBatch(
        output: output, mean: mean, variance: statistics.squares / (statistics.count - 1))
    } catch {
      return failed("\(error)", input)
    }
  }

  /// One message a rank: means, sums of squared distances, and the number of values.
  private func gather(_ input: Tensor) throws -> Statistics {
    let channels = input.size(1)
    let own = channels == 0 ? 0 : input.count / channels
    var message = Tensor.zeros([2 * channels + 1], dtype: .float64, device: input.device)
    if own > 0 {
      // Given statistics of this type, the kernel sums up in it, whatever the type of the input.
      let type = input.dtype.accumulation
      let (mean, variance) = Aten.batch_norm_update_stats(
        input, running_mean: .zeros([channels], dtype: type, device: input.device),
        running_var: .zeros([channels], dtype: type, device: input.device), momentum: 0)
      let count = Tensor.full([1], Scalar(own), dtype: .float64, device: input.device)
      message = Tensor.cat([mean.to(.float64), variance.to(.float64) * count, count])
    }
    let table = Tensor.empty([group.size * message.count], dtype: .float64, device: input.device)
    try group.allGather(into: table, from: message)
    let rows = table.reshaped(group.size, message.count)
    let means = rows.narrowed(dim: 1, start: 0, length: channels)
    let squares = rows.narrowed(dim: 1, start: channels, length: channels)
    let counts = rows.narrowed(dim: 1, start: 2 * channels, length: 1)
    let count = counts.sum()
    let mean = (means * counts).sum(dim: 0) / count
    let distances = (means - mean).square() * counts
    return Statistics(mean: mean, squares: (squares + distances).sum(dim: 0), count: count)
  }

  /// - Parameter statistics: mean [C], variance [C] and number of values over all ranks.
  private func record(_ output: Tensor, of input: Tensor, _ layer: BatchNorm, _ statistics: [Tensor]) {
    let (weight, bias, epsilon) = (layer.weight, layer.bias, layer.epsilon)
    let hasWeight = weight != nil
    let inputs = [input] + [weight, bias].compactMap { $0 }
    Tensor.record(
      "SyncBatchNorm", outputs: [output], of: inputs,
      saving: [input] + statistics + (weight.map { [$0] } ?? [])
    ) { step in
      let none = [Tensor?](repeating: nil, count: step.isNeeded.count)
      guard let gradient = step.gradients[0] else { return none }
      guard !isGradientEnabled else {
        throw ConfigurationError(
          "syncBatchNorm", "synchronized batch normalization has no second derivative",
          suggestion: "take it with syncBatchNorm: false")
      }
      let parts = try gradients(
        of: gradient, step.saved[0], weight: hasWeight ? step.saved[4] : nil, mean: step.saved[1],
        variance: step.saved[2], count: step.saved[3], epsilon: epsilon, isInputNeeded: step.isNeeded[0])
      return Array(parts.prefix(step.isNeeded.count))
    }
  }

  /// The gradients of input, weight and bias; those of weight and bias are of this rank's batch.
  ///
  /// With the statistics held constant the derivative is the one of evaluation mode, one fused kernel. What the statistics
  /// add to the input's needs the sums of both parameters' gradients over all ranks.
  private func gradients(
    of gradient: Tensor, _ input: Tensor, weight: Tensor?, mean: Tensor, variance: Tensor, count: Tensor,
    epsilon: Double, isInputNeeded: Bool
  ) throws -> [Tensor?] {
    let factor = weight?.to(mean.dtype) ?? .ones(like: mean)
    var own = gradient
    var (weightGradient, biasGradient) = (Tensor.zeros(like: mean), Tensor.zeros(like: mean))
    if input.count > 0 {
      (own, weightGradient, biasGradient) = Aten.native_batch_norm_backward(
        gradient, input: input, weight: factor, running_mean: mean, running_var: variance, save_mean: nil,
        save_invstd: nil, train: false, eps: epsilon, output_mask: (isInputNeeded, true, true))
    }
    let parameters: [Tensor?] = [weightGradient, biasGradient].map { $0.to(weight?.dtype ?? $0.dtype) }
    guard isInputNeeded else { return [nil] + parameters }
    let sums = Tensor.cat([weightGradient, biasGradient])
    try group.allReduce(sums)
    guard input.count > 0 else { return [own] + parameters }
    let channels = mean.count
    let shape = [1, channels] + Array(repeating: 1, count: input.ndim - 2)
    let scale = Aten.rsqrt(variance + Scalar(epsilon))
    let share = factor * scale / count
    let slope = sums[0..<channels] * scale * share
    let offset = sums[channels..<(2 * channels)] * share
    let correction = input - mean.reshaped(shape)
    correction.multiply(by: slope.reshaped(shape))
    correction.add(offset.reshaped(shape))
    own.add(correction, scaledBy: -1)
    return [own] + parameters
  }

  private func failed(_ message: String, _ input: Tensor) -> BatchNorm.NormalizedBatch {
    let nothing = Tensor.failed(operation: "SyncBatchNorm", message: message, arguments: [("input", input)])
    return BatchNorm.NormalizedBatch(output: nothing, mean: nothing, variance: nothing)
  }
}

extension DType {
  /// The type that statistics of this type are kept in.
  fileprivate var accumulation: DType { byteCount < 4 ? .float32 : self }
}
