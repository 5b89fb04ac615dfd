public import TorchDistributed
public import TorchNN

/// Lets every ``BatchNorm`` layer normalize by the statistics of the batches of all ranks together.
///
/// Output, gradients and running statistics are those of one process with the whole batch; the ranks' batches may differ
/// in size. The layers stay what they are, with the same parameters and keys. Costs one collective a layer in forward and
/// one in backward. Layers in evaluation mode use their running statistics as always; a subclass with a
/// `forward(_:)` of its own is left alone.
///
/// See PyTorch's `SyncBatchNorm`, which works on GPUs only; this one works on all devices.
public final class SyncBatchNormalization: LayerSync {
  private var layers: [BatchNorm] = []

  public init() {}

  public func apply(to module: Module, in group: ProcessGroup) {
    let normalization = GroupNormalization(group: group)
    for case let layer as BatchNorm in module.namedModules().map(\.module) where layer.normalizer == nil {
      layer.normalizer = { layer, input in normalization.normalize(input, of: layer) }
      layers.append(layer)
    }
  }

  public func revert() {
    for layer in layers { layer.normalizer = nil }
    layers = []
  }
}
