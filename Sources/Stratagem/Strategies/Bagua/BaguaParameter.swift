public import Torch
public import TorchNN

/// A parameter that is trained with `bagua`.
public struct BaguaParameter {
  /// Its key in the state dictionary of the module.
  public let name: String
  public let parameter: AnyParameter
  /// What it holds for the whole fit.
  public let tensor: Tensor

  init(_ name: String, _ parameter: AnyParameter) {
    self.name = name
    self.parameter = parameter
    tensor = parameter.tensor
  }
}
