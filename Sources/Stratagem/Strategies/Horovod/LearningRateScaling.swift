/// What becomes of the learning rates that the module asks for when several ranks compute.
public enum LearningRateScaling: String, Sendable, Hashable, CaseIterable {
  /// They stay as they are.
  case none
  /// They are multiplied by the number of ranks whose gradients are averaged or summed.
  ///
  /// After Goyal et al., Accurate, Large Minibatch SGD, https://arxiv.org/abs/1706.02677; use it with a warm-up.
  case linear
}
