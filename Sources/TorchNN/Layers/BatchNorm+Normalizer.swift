public import Torch

extension BatchNorm {
  /// A batch that was normalized by statistics of more samples than this process has.
  public struct NormalizedBatch {
    /// Of the shape and type of the input, with weight and bias applied, and recorded for backward.
    public let output: Tensor
    /// The mean of each channel: [C].
    public let mean: Tensor
    /// The unbiased variance of each channel: [C].
    public let variance: Tensor

    public init(output: Tensor, mean: Tensor, variance: Tensor) {
      self.output = output
      self.mean = mean
      self.variance = variance
    }
  }

  /// Normalizes the batch of a layer in training mode. What fails is recorded in the error scope, and `output` poisoned.
  public typealias Normalizer = (_ layer: BatchNorm, _ input: Tensor) -> NormalizedBatch

  /// Lets `normalizer` normalize the batch, and moves the running statistics.
  func normalize(_ input: Tensor, by normalizer: Normalizer) -> Tensor {
    let batch = normalizer(self, input)
    guard !batch.output.isPoisoned else { return batch.output }
    let share = countBatch()
    withoutGradients {
      if let runningMean { move(runningMean, towards: batch.mean, share) }
      if let runningVar { move(runningVar, towards: batch.variance, share) }
    }
    return batch.output
  }

  private func move(_ running: Tensor, towards value: Tensor, _ share: Double) {
    running.multiply(by: Scalar(1 - share))
    running.add(value.to(running.dtype), scaledBy: Scalar(share))
  }
}
