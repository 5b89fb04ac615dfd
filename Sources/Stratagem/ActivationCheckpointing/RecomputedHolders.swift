internal import Torch
internal import TorchNN

/// The parameters and buffers of a layer whose forward is run twice.
final class RecomputedHolders {
  private let parameters: [AnyParameter]
  private let buffers: [AnyBuffer]

  init(_ layer: Module) {
    let holders = layer.tensorHolders()
    parameters = holders.compactMap { $0 as? AnyParameter }
    buffers = holders.compactMap { $0 as? AnyBuffer }
  }

  /// The trained parameters that are read as they are, each once: the ones that nobody reads in another way.
  var plainParameters: [Tensor] {
    var seen = Set<OpaquePointer>()
    return parameters.compactMap { parameter in
      guard parameter.reader == nil, let tensor = parameter.held, tensor.requiresGradient,
        seen.insert(tensor.handle).inserted
      else { return nil }
      return tensor
    }
  }

  /// Whether there are trained parameters that a strategy lets be read in its own way, and whose gradients it takes care of.
  var hasTrainedReaders: Bool {
    parameters.contains { $0.reader != nil && $0.requiresGradient }
  }

  /// Runs `body`, in which each of `tensors` is read as the leaf at the same place of `aliases`, and in which buffers change
  /// for the time being only.
  func recompute<Result>(
    reading aliases: [Tensor], of tensors: [Tensor], _ body: () throws -> Result
  ) rethrows -> Result {
    var byHandle: [OpaquePointer: Tensor] = [:]
    for (tensor, alias) in zip(tensors, aliases) { byHandle[tensor.handle] = alias }
    var replaced: [TensorHolder] = []
    for parameter in parameters {
      guard parameter.reader == nil, let tensor = parameter.held, let alias = byHandle[tensor.handle] else { continue }
      parameter.reader = { _ in alias }
      replaced.append(parameter)
    }
    var restored: [(tensor: Tensor, values: Tensor)] = []
    for buffer in buffers where buffer.isPresent {
      if let reader = buffer.reader {
        let tensor = reader(buffer)
        restored.append((tensor, withoutGradients { tensor.clone() }))
      } else {
        let copy = Passing(withoutGradients { buffer.tensor.clone() })
        buffer.reader = { _ in copy.tensor }
        buffer.writer = { _, tensor in
          if let tensor { copy.tensor = tensor }
          return true
        }
        replaced.append(buffer)
      }
    }
    defer {
      for holder in replaced {
        holder.reader = nil
        holder.writer = nil
      }
      withoutGradients {
        for (tensor, values) in restored where !tensor.equals(values) { tensor.copy(from: values) }
      }
    }
    return try body()
  }

  /// What a buffer is while a forward is repeated.
  private final class Passing {
    var tensor: Tensor
    init(_ tensor: Tensor) { self.tensor = tensor }
  }
}
