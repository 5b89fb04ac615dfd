internal import Torch
internal import TorchNN

/// What parameters hold, and its gradients, put aside while an optimizer sees others.
struct HeldTensors {
  private let entries: [(parameter: AnyParameter, tensor: Tensor, standIn: Tensor)]
  private let places: [ObjectIdentifier: Int]

  /// Takes the gradients away from the parameters; those of the tensors that are put aside stay with them.
  init(_ parameters: [AnyParameter]) {
    var places: [ObjectIdentifier: Int] = [:]
    entries = parameters.enumerated().map { place, parameter in
      places[ObjectIdentifier(parameter)] = place
      let tensor = parameter.tensor
      // A stand-in without a gradient, which optimizers pass over.
      let standIn = tensor.variableData()
      standIn.requiresGradient = tensor.requiresGradient
      parameter.tensor = standIn
      return (parameter, tensor, standIn)
    }
    self.places = places
  }

  /// What a parameter held, with its gradient.
  subscript(_ parameter: AnyParameter) -> Tensor? { places[ObjectIdentifier(parameter)].map { entries[$0].tensor } }

  /// Lets a parameter stand aside again.
  func setAside(_ parameter: AnyParameter) {
    if let place = places[ObjectIdentifier(parameter)] { parameter.tensor = entries[place].standIn }
  }

  /// Lets the parameters hold their tensors again.
  func restore() {
    for entry in entries { entry.parameter.tensor = entry.tensor }
  }
}
