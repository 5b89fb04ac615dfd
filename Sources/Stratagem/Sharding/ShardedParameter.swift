internal import Torch
internal import TorchNN

/// A parameter of the model as the sharding engine knows it: one tensor, however many properties hold it.
final class ShardedParameter {
  /// Its first key in the state dictionary.
  let name: String
  /// The properties that hold it; optimizers know one of them.
  let holders: [AnyParameter]
  let shape: [Int]
  let count: Int
  let dtype: DType
  /// Where it is gathered.
  let device: Device

  /// - Parameter home: where a parameter is that has no memory yet.
  init(name: String, holders: [AnyParameter], home: Device) {
    self.name = name
    self.holders = holders
    let tensor = holders[0].tensor
    shape = tensor.shape
    count = tensor.count
    dtype = tensor.dtype
    device = tensor.device.kind == .meta ? home : tensor.device
  }

  /// The property by which optimizers and placements name it.
  var holder: AnyParameter { holders[0] }

  var isTrained: Bool { holder.requiresGradient }

  /// Lets all properties hold a tensor.
  func hold(_ tensor: Tensor) {
    for holder in holders { holder.tensor = tensor }
  }
}
