public import Torch

/// Parameters whose gradients, weights or moments cross the ranks as one vector.
public final class BaguaBucket {
  /// The parameters, in the order in which backward is expected to reach them.
  public let parameters: [BaguaParameter]
  /// The number of elements, padding included.
  public let count: Int
  private let padding: Int
  private let isPersistent: Bool
  private var memory: (flat: Tensor, views: [Tensor])?

  /// - Parameters:
  ///   - alignment: the vector is padded with zeros to a multiple of this.
  ///   - isPersistent: whether the vector keeps its memory when it is not in use.
  init(_ parameters: [BaguaParameter], alignment: Int, isPersistent: Bool) {
    self.parameters = parameters
    self.isPersistent = isPersistent
    let sum = parameters.reduce(0) { $0 + $1.tensor.count }
    count = max(1, (sum + alignment - 1) / alignment) * alignment
    padding = count - sum
  }

  /// The vector, of ``count`` elements.
  public var flat: Tensor { makeMemory().flat }

  /// The part of each parameter in the vector, in the parameter's shape.
  public var views: [Tensor] { makeMemory().views }

  private func makeMemory() -> (flat: Tensor, views: [Tensor]) {
    if let memory { return memory }
    let model = parameters[0].tensor
    let flat = withoutGradients { Tensor.zeros([count], dtype: model.dtype, device: model.device) }
    var start = 0
    let views = parameters.map { parameter in
      defer { start += parameter.tensor.count }
      return flat.narrowed(dim: 0, start: start, length: parameter.tensor.count).view(parameter.tensor.shape)
    }
    memory = (flat, views)
    return (flat, views)
  }

  /// Copies tensors, one for each parameter, into the vector.
  public func fill(from tensors: [Tensor]) {
    withoutGradients {
      Aten._foreach_copy_(views, src: tensors)
      clearPadding()
    }
  }

  /// Copies the vector into tensors, one for each parameter.
  public func spill(into tensors: [Tensor]) {
    withoutGradients { Aten._foreach_copy_(tensors, src: views) }
  }

  /// Sets the elements behind those of the parameters to zero.
  func clearPadding() {
    if padding > 0 { flat.narrowed(dim: 0, start: count - padding, length: padding).zero() }
  }

  /// Lets go of the memory unless it is kept from step to step.
  func release() {
    if !isPersistent { memory = nil }
  }

  /// Deals parameters out to buckets of one type and device, of at most `byteCount` bytes unless one parameter has more;
  /// nil for no limit.
  static func make(
    _ parameters: [BaguaParameter], byteCount: Int?, alignment: Int = 1, isPersistent: Bool = true
  ) -> [BaguaBucket] {
    var lists: [[BaguaParameter]] = []
    var places: [String: (list: Int, bytes: Int)] = [:]
    for parameter in parameters where parameter.tensor.count > 0 {
      let kind = "\(parameter.tensor.dtype) \(parameter.tensor.device)"
      let bytes = parameter.tensor.byteCount
      if let place = places[kind], byteCount.map({ place.bytes + bytes <= $0 }) ?? true {
        lists[place.list].append(parameter)
        places[kind] = (place.list, place.bytes + bytes)
      } else {
        places[kind] = (lists.count, bytes)
        lists.append([parameter])
      }
    }
    return lists.map { BaguaBucket($0, alignment: alignment, isPersistent: isPersistent) }
  }
}
