public import Torch

extension Functional {
  /// The cross entropy of logits and class labels: `nll(logSoftmax(input), target)`.
  ///
  /// A label outside `0..<C` is an error that names it, its position and C.
  ///
  /// - Parameters:
  ///   - input: logits, [N, C] or [N, C, d1, ...] or [C].
  ///   - target: labels, int64 of shape [N] or [N, d1, ...] or []; or probabilities of the shape of `input`.
  ///   - weight: the weight of each class, [C].
  ///   - ignoreIndex: a label that contributes nothing.
  ///   - labelSmoothing: the share, 0...1, of the target that is spread over all classes.
  public static func crossEntropy(
    _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Reduction = .mean,
    labelSmoothing: Double = 0
  ) -> Tensor {
    if let failure = wrongLabel("crossEntropy", input, target, ignoreIndex) { return failure }
    return Aten.cross_entropy_loss(
      input, target: target, weight: weight, reduction: reduction.rawValue, ignore_index: ignoreIndex,
      label_smoothing: labelSmoothing)
  }

  /// The negative log likelihood of class labels, of log probabilities as `logSoftmax` returns them.
  ///
  /// Shapes and errors are those of `crossEntropy`.
  public static func nll(
    _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, ignoreIndex: Int = -100, reduction: Reduction = .mean
  ) -> Tensor {
    if let failure = wrongLabel("nll", input, target, ignoreIndex) { return failure }
    return Aten.nll_loss_nd(
      input, target: target, weight: weight, reduction: reduction.rawValue, ignore_index: ignoreIndex)
  }

  /// (input - target)².
  public static func mse(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor {
    Aten.mse_loss(input, target: target, reduction: reduction.rawValue)
  }

  /// |input - target|.
  public static func l1(_ input: Tensor, _ target: Tensor, reduction: Reduction = .mean) -> Tensor {
    Aten.l1_loss(input, target: target, reduction: reduction.rawValue)
  }

  /// 0.5 d² / beta where d = |input - target| is below `beta`, d - 0.5 beta elsewhere.
  public static func smoothL1(
    _ input: Tensor, _ target: Tensor, beta: Double = 1, reduction: Reduction = .mean
  ) -> Tensor {
    Aten.smooth_l1_loss(input, target: target, reduction: reduction.rawValue, beta: beta)
  }

  /// The binary cross entropy of logits and targets in 0...1, of one shape.
  ///
  /// - Parameters:
  ///   - weight: a factor of each element, broadcast to the input.
  ///   - positiveWeight: the weight of positive examples, broadcast to the input.
  public static func bceWithLogits(
    _ input: Tensor, _ target: Tensor, weight: Tensor? = nil, positiveWeight: Tensor? = nil,
    reduction: Reduction = .mean
  ) -> Tensor {
    Aten.binary_cross_entropy_with_logits(
      input, target: target, weight: weight, pos_weight: positiveWeight, reduction: reduction.rawValue)
  }

  /// The error of the first label that names no class; `nil` when all do, or when libtorch is to judge.
  private static func wrongLabel(
    _ operation: String, _ input: Tensor, _ target: Tensor, _ ignoreIndex: Int
  ) -> Tensor? {
    if input.isPoisoned || target.isPoisoned { return nil }
    let dimensions = input.ndim
    guard dimensions > 0, target.ndim == max(dimensions - 1, 0) else { return nil }
    let classCount = input.size(dimensions == 1 ? 0 : 1)
    guard let wrong = IndexCheck.firstOutside(target, count: classCount, except: ignoreIndex) else { return nil }
    return .failed(
      operation: operation,
      message: """
        label \(wrong.value) at position \(wrong.position) is out of range: there are \(classCount) classes, so labels \
        must be in 0..<\(classCount), or \(ignoreIndex) to be ignored
        """, arguments: [("input", input), ("target", target)])
  }
}
