/// A module that is called as a function: `output = layer(input)`.
///
/// ```swift
/// final class Residual: Layer<Tensor, Tensor> {
///   let inner: Linear
///   init(_ width: Int) { inner = Linear(width, width) }
///   override func forward(_ input: Tensor) -> Tensor { input + inner(input) }
/// }
/// ```
///
/// The call goes through the library, which runs hooks around `forward(_:)`: sharding, activation checkpointing and
/// profiling attach there. A layer without hooks pays nothing for them.
open class Layer<Input, Output>: Module {
  @exclusivity(unchecked) @usableFromInline final var hooks: LayerHooks<Input, Output>?

  public override init() {}

  /// Runs the layer with its hooks.
  @inlinable
  public final func callAsFunction(_ input: Input) -> Output {
    guard let hooks else { return forward(input) }
    return hooks.run(self, input)
  }

  /// Computes the output; every layer overrides it. Call the layer itself, not this, so that hooks run.
  open func forward(_ input: Input) -> Output {
    preconditionFailure("\(type(of: self)) does not override forward(_:)")
  }

  /// Runs `hook` before `forward(_:)`; what it returns, unless `nil`, takes the input's place.
  ///
  /// - Returns: the handle that removes the hook.
  @discardableResult
  public final func registerForwardPreHook(
    _ hook: @escaping (_ layer: Layer<Input, Output>, _ input: Input) -> Input?
  ) -> HookHandle {
    let hooks = self.hooks ?? LayerHooks()
    self.hooks = hooks
    let key = hooks.add(before: hook)
    return HookHandle { [weak self] in self?.removeHook(key) }
  }

  /// Runs `hook` after `forward(_:)`; what it returns, unless `nil`, takes the output's place.
  ///
  /// - Returns: the handle that removes the hook.
  @discardableResult
  public final func registerForwardHook(
    _ hook: @escaping (_ layer: Layer<Input, Output>, _ input: Input, _ output: Output) -> Output?
  ) -> HookHandle {
    let hooks = self.hooks ?? LayerHooks()
    self.hooks = hooks
    let key = hooks.add(after: hook)
    return HookHandle { [weak self] in self?.removeHook(key) }
  }

  override package final var isCalledThroughLibrary: Bool { true }

  override package final func observeCalls(_ observer: CallObserver) -> [HookHandle] {
    [
      registerForwardPreHook { _, input in
        observer.before(CallTensors(input))
        return nil
      },
      registerForwardHook { _, _, output in
        observer.after(CallTensors(output))
        return nil
      },
    ]
  }

  override func readEntries() -> ModuleEntries { ModuleReader.read(self, below: Layer<Input, Output>.self) }

  private func removeHook(_ key: Int) {
    guard let hooks else { return }
    hooks.remove(key)
    if hooks.isEmpty { self.hooks = nil }
  }

  /// What runs `forward` and returns its output, between the hooks.
  package typealias Interceptor = (_ input: Input, _ forward: @escaping (Input) -> Output) -> Output

  /// Lets `interceptor` run `forward(_:)`; nil when something else does already.
  package final func intercept(_ interceptor: @escaping Interceptor) -> HookHandle? {
    let hooks = self.hooks ?? LayerHooks()
    guard hooks.interceptor == nil else { return nil }
    self.hooks = hooks
    hooks.interceptor = interceptor
    return HookHandle { [weak self] in self?.removeInterceptor() }
  }

  private func removeInterceptor() {
    guard let hooks else { return }
    hooks.interceptor = nil
    if hooks.isEmpty { self.hooks = nil }
  }

  package override func accept(_ visitor: any LayerVisitor) throws { try visitor.visit(self) }
}
