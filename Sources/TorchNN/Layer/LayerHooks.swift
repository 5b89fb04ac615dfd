/// The hooks of one layer, in the order of their registration.
@usableFromInline
final class LayerHooks<Input, Output> {
  typealias PreHook = (Layer<Input, Output>, Input) -> Input?
  typealias Hook = (Layer<Input, Output>, Input, Output) -> Output?

  private var before: [(key: Int, hook: PreHook)] = []
  private var after: [(key: Int, hook: Hook)] = []
  private var nextKey = 0
  /// What runs `forward(_:)` in place of a plain call.
  var interceptor: Layer<Input, Output>.Interceptor?

  var isEmpty: Bool { before.isEmpty && after.isEmpty && interceptor == nil }

  func add(before hook: @escaping PreHook) -> Int {
    nextKey += 1
    before.append((nextKey, hook))
    return nextKey
  }

  func add(after hook: @escaping Hook) -> Int {
    nextKey += 1
    after.append((nextKey, hook))
    return nextKey
  }

  func remove(_ key: Int) {
    before.removeAll { $0.key == key }
    after.removeAll { $0.key == key }
  }

  @usableFromInline
  func run(_ layer: Layer<Input, Output>, _ input: Input) -> Output {
    var input = input
    for (_, hook) in before { input = hook(layer, input) ?? input }
    var output: Output
    if let interceptor { output = interceptor(input, layer.forward) } else { output = layer.forward(input) }
    for (_, hook) in after { output = hook(layer, input, output) ?? output }
    return output
  }
}
