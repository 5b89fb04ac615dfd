internal import TorchNN
public import TorchOptim

/// An optimizer that a module with manual optimization steps itself: precision, hooks and the count of steps are kept.
///
/// ```swift
/// override var automaticOptimization: Bool { false }
/// override func trainingStep(_ batch: Images, at index: Int) throws -> StepOutput {
///   let (generator, discriminator) = (optimizers[0], optimizers[1])
///   try generator.toggled {
///     try manualBackward(generatorLoss(batch))
///     try generator.step()
///     generator.zeroGradients()
///   }
///   ...
///   return .skipped
/// }
/// ```
public final class LightningOptimizer {
  /// The optimizer itself, to be read; step it through this object.
  public let base: Optimizer
  private let strategy: Strategy
  private var frozen: [AnyParameter]?

  init(_ base: Optimizer, _ strategy: Strategy) {
    self.base = base
    self.strategy = strategy
  }

  /// Unscales the gradients, calls `onBeforeOptimizerStep`, and performs the step; it counts as a step of the run.
  ///
  /// - Throws: what the hooks throw, and the first error of an operation up to here.
  public func step() throws {
    guard let trainer = strategy.module?.trainer else { return }
    try trainer.optimizerStep(base)
  }

  /// Drops the gradients of the optimizer's parameters.
  public func zeroGradients(setToNone: Bool = true) { base.zeroGradients(setToNone: setToNone) }

  /// Lets only the parameters of this optimizer require gradients, until ``untoggle()``.
  ///
  /// With several optimizers it saves the gradients of the others' parameters; parameters that required none before
  /// still require none. Under `ddp` it needs `findUnusedParameters: true`.
  public func toggle() {
    guard frozen == nil, let module = strategy.module else { return }
    let own = Set(base.parameters.map { ObjectIdentifier($0) })
    let others = module.parameters().filter { $0.requiresGradient && !own.contains(ObjectIdentifier($0)) }
    for parameter in others { parameter.requiresGradient = false }
    frozen = others
  }

  /// Takes back ``toggle()``.
  public func untoggle() {
    for parameter in frozen ?? [] { parameter.requiresGradient = true }
    frozen = nil
  }

  /// Runs `body` between ``toggle()`` and ``untoggle()``.
  public func toggled<Result>(_ body: () throws -> Result) rethrows -> Result {
    toggle()
    defer { untoggle() }
    return try body()
  }
}
