// Exported, so that whoever imports Torch can iterate over a state dictionary without importing another module.
@_exported public import OrderedCollections

/// The tensors of a module by name, in PyTorch's order: `fc1.weight`, `fc1.bias`, ...
public typealias StateDictionary = OrderedDictionary<String, Tensor>
