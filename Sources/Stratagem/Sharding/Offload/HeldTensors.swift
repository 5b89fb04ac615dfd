internal import Torch
internal import TorchNN

/// What parameters hold, and its gradients, put aside while an optimizer sees others.
struct HeldTensors {
  private let entries: [(parameter: AnyParameter, tensor: Tensor, gradient: Tensor?)]
  private let places: [ObjectIdentifier: Int]

  /// Takes the gradients away from the parameters; those of the tensors that are put aside stay with them.
  init(_ parameters: [AnyParameter]) {
    var places: [ObjectIdentifier: Int] = [:]
    entries = parameters.enumerated().map { place, parameter in
      places[ObjectIdentifier(parameter)] = place
      let tensor = parameter.tensor
      let gradient = tensor.gradient
      // A stand-in without a gradient, which optimizers pass over.
      let standIn = tensor.variableData()
      standIn.requiresGradient = tensor.requiresGradient
      parameter.tensor = standIn
      return (parameter, tensor, gradient)
    }
    self.places = places
  }

  /// What a parameter held, with its gradient.
  subscript(_ parameter: AnyParameter) -> Tensor? { places[ObjectIdentifier(parameter)].map { entries[$0].tensor } }

  /// Lets the parameters hold their tensors again.
  func restore() {
    for entry in entries { entry.parameter.tensor = entry.tensor }
  }
}
