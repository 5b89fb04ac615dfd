public import Torch

extension Functional {
  /// `input` · `weight`ᵀ + `bias`, with `input` [..., in], `weight` [out, in] and `bias` [out].
  public static func linear(_ input: Tensor, _ weight: Tensor, _ bias: Tensor? = nil) -> Tensor {
    input.linear(weight, bias)
  }

  /// The two-dimensional convolution of `input` [N, C, H, W] with `weight` [out, C / groups, kH, kW].
  public static func conv2d(
    _ input: Tensor, _ weight: Tensor, _ bias: Tensor? = nil, stride: some SpatialSize = 1,
    padding: some SpatialSize = 0, dilation: some SpatialSize = 1, groups: Int = 1
  ) -> Tensor {
    Aten.conv2d(
      input, weight: weight, bias: bias, stride: stride.sizes(2), padding: padding.sizes(2),
      dilation: dilation.sizes(2), groups: groups)
  }

  /// Normalizes over the last dimensions, those of `normalizedShape`, to mean 0 and variance 1, then scales and shifts.
  public static func layerNorm(
    _ input: Tensor, _ normalizedShape: [Int], weight: Tensor? = nil, bias: Tensor? = nil, epsilon: Double = 1e-5
  ) -> Tensor {
    Aten.layer_norm(input, normalized_shape: normalizedShape, weight: weight, bias: bias, eps: epsilon)
  }

  /// The rows of `weight` [count, width] that `indices` (int64, any shape) names: shape `indices.shape` + [width].
  ///
  /// An index outside `0..<count` is an error that names it.
  ///
  /// - Parameter paddingIndex: a row that receives no gradient.
  public static func embedding(_ indices: Tensor, _ weight: Tensor, paddingIndex: Int? = nil) -> Tensor {
    if let wrong = IndexCheck.firstOutside(indices, count: weight.ndim == 2 ? weight.size(0) : nil) {
      return .failed(
        operation: "embedding",
        message: """
          index \(wrong.value) at position \(wrong.position) is out of range: the table has \(weight.size(0)) rows, so \
          indices must be in 0..<\(weight.size(0))
          """, arguments: [("indices", indices), ("weight", weight)])
    }
    return Aten.embedding(weight, indices: indices, padding_idx: paddingIndex ?? -1)
  }

  /// Sets each element to zero with `probability` and divides the others by 1 - `probability`, in training only.
  public static func dropout(_ input: Tensor, probability: Double = 0.5, isTraining: Bool = true) -> Tensor {
    Aten.dropout(input, p: probability, train: isTraining)
  }

  /// A last dimension of `classCount` elements, one where the class (int64) is, zero elsewhere.
  ///
  /// - Parameter classCount: the number of classes; `nil` for one more than the largest in `classes`.
  public static func oneHot(_ classes: Tensor, classCount: Int? = nil) -> Tensor {
    if let classCount, let wrong = IndexCheck.firstOutside(classes, count: classCount) {
      return .failed(
        operation: "oneHot",
        message: """
          class \(wrong.value) at position \(wrong.position) is out of range: there are \(classCount) classes, so \
          classes must be in 0..<\(classCount)
          """, arguments: [("classes", classes)])
    }
    return Aten.one_hot(classes, num_classes: classCount ?? -1)
  }

  /// softmax(Q Kᵀ · scale + mask) V, by the fastest kernel there is.
  ///
  /// - Parameters:
  ///   - query: [..., L, E].
  ///   - key: [..., S, E].
  ///   - value: [..., S, V].
  ///   - mask: [..., L, S], boolean (true takes part) or added to the scores; `nil` for none.
  ///   - isCausal: let position i see only positions up to i.
  ///   - dropout: the probability of dropping an attention weight; pass 0 in evaluation.
  ///   - scale: the factor of the scores; `nil` for 1 / √E.
  public static func scaledDotProductAttention(
    query: Tensor, key: Tensor, value: Tensor, mask: Tensor? = nil, isCausal: Bool = false, dropout: Double = 0,
    scale: Double? = nil
  ) -> Tensor {
    Aten.scaled_dot_product_attention(
      query, key: key, value: value, attn_mask: mask, dropout_p: dropout, is_causal: isCausal, scale: scale)
  }
}
