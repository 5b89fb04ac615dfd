internal import Torch
public import TorchNN

/// Memory for time: a layer keeps its input instead of everything it computes, and computes it once more in backward.
///
/// ```swift
/// try ActivationCheckpoint().attach(to: block)                                    // one layer
/// try ActivationCheckpointPolicy(layersOf: Block.self).apply(to: model)           // all layers of a type
/// ```
///
/// Gradients are those of the plain run, to the bit: random numbers, mixed precision and the default type are those of the
/// first run, and buffers such as running statistics change once. The parameters are read through their holders again, so
/// that a strategy may gather them again; in mixed precision each use of a parameter converts it anew, so that those of several
/// uses are added in the parameter's own type. Layers inside may be checkpointed too. A layer with synchronized statistics repeats
/// its collectives in backward.
///
/// Inputs and outputs have to be tensors, ``BatchConvertible``, or tuples of up to four tensors or optional tensors. A layer
/// may not change its input in place. Tensors that need a gradient must come in by the input or be parameters of the layer; a
/// parameter that belongs to another layer works too, but not with `DDPStrategy`. There are no second-order gradients.
///
/// See "Training Deep Nets with Sublinear Memory Cost", https://arxiv.org/abs/1604.06174, and PyTorch's
/// `torch.utils.checkpoint`.
public struct ActivationCheckpoint: Sendable {
  /// Whether dropout and the like draw in backward the numbers they drew in forward. On the CPU.
  public var preservesRandomState: Bool
  /// Whether the inputs are kept in the memory of the CPU, for layers on another device.
  public var keepsInputsOnCPU: Bool

  public init(preservesRandomState: Bool = true, keepsInputsOnCPU: Bool = false) {
    self.preservesRandomState = preservesRandomState
    self.keepsInputsOnCPU = keepsInputsOnCPU
  }

  /// Lets `layer` compute its activations again in backward.
  ///
  /// - Returns: the handle that ends it.
  /// - Throws: ``ConfigurationError`` for a layer whose input or output cannot be looked into, or that is checkpointed
  ///   already.
  @discardableResult
  public func attach<Input, Output>(to layer: Layer<Input, Output>) throws(ConfigurationError) -> HookHandle {
    for value in [Input.self, Output.self] as [Any.Type] where !TensorTree.supports(value) {
      throw ConfigurationError(
        "activationCheckpointing", "the layer \(type(of: layer)) takes or returns \(value), whose tensors are unknown",
        suggestion: "make \(value) conform to BatchConvertible")
    }
    let holders = RecomputedHolders(layer)
    let handle = layer.intercept { input, forward in
      CheckpointedCall(options: self, holders: holders, forward: forward).run(input)
    }
    guard let handle else {
      throw ConfigurationError(
        "activationCheckpointing", "the layer \(type(of: layer)) is checkpointed already",
        suggestion: "attach a checkpoint once, or remove the first")
    }
    return handle
  }
}
