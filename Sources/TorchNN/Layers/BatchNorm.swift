public import Torch

/// Normalizes each channel over the batch and all positions: the base of `BatchNorm1d` and `BatchNorm2d`.
///
/// y = (x - mean) / √(variance + epsilon) · weight + bias, with one number per channel each. In training, mean and
/// (biased) variance are the batch's, and the running ones, with the unbiased variance, move towards them:
/// running = (1 - momentum) · running + momentum · batch. In evaluation the running ones are used.
/// State: `weight`, `bias`, `running_mean`, `running_var`, `num_batches_tracked` (int64).
open class BatchNorm: Layer<Tensor, Tensor> {
  @Parameter public final var weight: Tensor?
  @Parameter public final var bias: Tensor?
  @Buffer public final var runningMean: Tensor?
  @Buffer public final var runningVar: Tensor?
  @Buffer public final var numBatchesTracked: Tensor?

  /// The number of channels.
  public final let numFeatures: Int
  /// What is added to the variance.
  public final let epsilon: Double
  /// The share of the batch in the running statistics; `nil` for the mean over all batches so far.
  public final let momentum: Double?
  /// Whether the running statistics are the mean over all batches so far, whatever the momentum.
  public final var averagesAllBatches = false
  /// What normalizes batches in training mode in place of this layer, such as a group of processes; nil for the batch at
  /// hand alone.
  public final var normalizer: Normalizer?

  /// Creates a layer with weight 1, bias 0, running mean 0 and running variance 1.
  ///
  /// - Parameters:
  ///   - affine: whether there are a weight and a bias.
  ///   - trackRunningStats: whether to keep running statistics; without them the batch's are used in evaluation too.
  public init(
    _ numFeatures: Int, epsilon: Double = 1e-5, momentum: Double? = 0.1, affine: Bool = true,
    trackRunningStats: Bool = true
  ) {
    self.numFeatures = numFeatures
    self.epsilon = epsilon
    self.momentum = momentum
    weight = affine ? .ones([numFeatures]) : nil
    bias = affine ? .zeros([numFeatures]) : nil
    runningMean = trackRunningStats ? .zeros([numFeatures]) : nil
    runningVar = trackRunningStats ? .ones([numFeatures]) : nil
    numBatchesTracked = trackRunningStats ? .zeros([], dtype: .int64) : nil
  }

  /// Returns what is wrong with the number of dimensions of an input, or `nil`.
  func complaint(dimensions: Int) -> String? { nil }

  open override func forward(_ input: Tensor) -> Tensor {
    if !input.isPoisoned, let complaint = complaint(dimensions: input.ndim) {
      return .failed(operation: typeName, message: complaint, arguments: [("input", input)])
    }
    if isTraining, let normalizer, !input.isPoisoned { return normalize(input, by: normalizer) }
    let mean = runningMean
    let variance = runningVar
    let usesBatch = isTraining || mean == nil
    if usesBatch, input.count == numFeatures {
      return .failed(
        operation: typeName, message: "a batch must have more than one value per channel to be normalized by",
        arguments: [("input", input)])
    }
    return Aten.batch_norm(
      input, weight: weight, bias: bias, running_mean: mean, running_var: variance, training: usesBatch,
      momentum: isTraining ? countBatch() : momentum ?? 0, eps: epsilon, cudnn_enabled: true)
  }

  /// Counts the batch and returns its share in the running statistics.
  func countBatch() -> Double {
    guard let counter = numBatchesTracked else { return momentum ?? 0 }
    counter.add(1)
    if let momentum, !averagesAllBatches { return momentum }
    let count = (try? counter.scalar()) ?? 1
    return 1 / count
  }

  open override var extraDescription: String {
    let share = momentum.map { "\($0)" } ?? "nil"
    return """
      \(numFeatures), epsilon: \(epsilon), momentum: \(share), affine: \($weight.isPresent), \
      trackRunningStats: \($runningMean.isPresent)
      """
  }
}
