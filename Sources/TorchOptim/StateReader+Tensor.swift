public import Torch

extension StateReader {
  /// Reads a state tensor of a parameter: a copy with the parameter's dtype, device and layout.
  ///
  /// - Parameters:
  ///   - key: PyTorch's name of the state, such as `exp_avg`.
  ///   - parameter: the tensor whose shape the state must have.
  ///   - isOptional: whether nothing, or Python's `None`, is fine too.
  ///   - dryRun: check only.
  /// - Returns: the copy; `nil` when there is none, when it does not fit, or in a dry run.
  public mutating func tensor(_ key: String, like parameter: Tensor, isOptional: Bool, dryRun: Bool) -> Tensor? {
    switch entries[key] {
    case nil, .none?:
      if !isOptional { report("'\(key)' is missing") }
      return nil
    case .tensor(let saved)?:
      guard saved.shape == parameter.shape else {
        report("'\(key)' has shape \(saved.shape), the parameter \(parameter.shape)")
        return nil
      }
      guard !dryRun else { return nil }
      if sharesTensors, saved.dtype == parameter.dtype, saved.device == parameter.device, saved.isContiguous {
        return saved
      }
      let copy = Aten.empty_like(Aten.detach(parameter))
      Aten.copy_(copy, src: saved)
      return copy
    case let other?:
      report("'\(key)' should be a tensor, found \(Self.describe(other))")
      return nil
    }
  }
}
