internal import Torch
internal import TorchNN
internal import TorchOptim

/// What a step of an optimizer is made of, whoever asks for it: the fit loop, or a module with manual optimization.
extension Trainer {
  /// Hooks and backward for a loss; `synchronizing` as in ``Strategy/backward(_:synchronizing:)``.
  func backward(_ loss: Tensor, synchronizing: Bool) throws {
    try call({ try $0.onBeforeBackward(self, loss) }, { try $0.onBeforeBackward(loss) })
    try strategy.backward(loss, synchronizing: synchronizing)
    try call({ try $0.onAfterBackward(self) }, { try $0.onAfterBackward() })
  }

  func zeroGradients(_ optimizer: Optimizer) throws {
    try call({ try $0.onBeforeZeroGradients(self, optimizer) }, { try $0.onBeforeZeroGradients(optimizer) })
    try strategy.module?.optimizerZeroGradients(optimizer)
  }

  /// Unscales, clips and steps, and counts the step. Called on all ranks.
  func optimizerStep(_ optimizer: Optimizer) throws {
    guard let module = strategy.module else { return }
    try strategy.prepareStep(of: optimizer)
    try strategy.precision?.unscaleGradients(of: optimizer)
    try call({ try $0.onBeforeOptimizerStep(self, optimizer) }, { try $0.onBeforeOptimizerStep(optimizer) })
    if module.automaticOptimization {
      try module.configureGradientClipping(optimizer, norm: settings.clipNorm, value: settings.clipValue)
    }
    try module.optimizerStep(optimizer)
    progress.globalStep += 1
  }
}
