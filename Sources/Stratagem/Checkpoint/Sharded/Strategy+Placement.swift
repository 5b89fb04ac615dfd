internal import Torch

/// Values that lie as the parameters do.
extension Strategy {
  /// Where the elements of each partitioned parameter are, by the properties that hold it.
  final var placementOfParameter: [ObjectIdentifier: ParameterPlacement] {
    Dictionary(parameterPlacements.map { (ObjectIdentifier($0.parameter), $0) }) { first, _ in first }
  }

  /// The whole of a tensor of which every rank has its elements of a parameter. Called on all ranks.
  final func whole(_ part: Tensor, _ placement: ParameterPlacement) throws -> Tensor {
    let starts = try allGather(object: placement.isPrimary ? placement.range.lowerBound : -1)
    let parts = try allGather(part.flattened())
    let ordered = zip(starts, parts).filter { $0.0 >= 0 && $0.1.count > 0 }.sorted { $0.0 < $1.0 }
    return withoutGradients { Tensor.cat(ordered.map(\.1)).reshaped(placement.shape) }
  }
}
