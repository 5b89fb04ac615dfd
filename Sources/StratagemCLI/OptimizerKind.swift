/// The optimizers that `--optimizer` knows.
public enum OptimizerKind: String, Sendable, Hashable, CaseIterable {
  case sgd, adam, adamw

  /// The learning rate when none is given and the program has none for this optimizer.
  var usualLearningRate: Double { self == .sgd ? 0.1 : 1e-3 }

  /// PyTorch's default.
  var usualWeightDecay: Double { self == .adamw ? 1e-2 : 0 }
}
