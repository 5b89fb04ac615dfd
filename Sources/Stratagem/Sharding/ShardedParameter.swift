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

  init(name: String, holders: [AnyParameter]) {
    self.name = name
    self.holders = holders
    let tensor = holders[0].tensor
    shape = tensor.shape
    count = tensor.count
    dtype = tensor.dtype
  }

  /// The property by which optimizers and placements name it.
  var holder: AnyParameter { holders[0] }

  var isTrained: Bool { holder.requiresGradient }

  /// Lets all properties hold a tensor.
  func hold(_ tensor: Tensor) {
    for holder in holders { holder.tensor = tensor }
  }
}
