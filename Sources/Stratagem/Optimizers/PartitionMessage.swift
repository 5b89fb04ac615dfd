internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Parameters of one type that one rank updates and sends to the others in one broadcast.
final class PartitionMessage {
  private let parameters: [AnyParameter]
  private let source: Int
  /// The numbers of all of them: what the parameters are views of, or a copy that exists while it is sent.
  private let views: Tensor?
  private var copy: Tensor?

  private init(_ parameters: [AnyParameter], _ source: Int, _ views: Tensor?) {
    self.parameters = parameters
    self.source = source
    self.views = views
  }

  /// One message for each type of number.
  ///
  /// - Parameter asViews: move the parameters into memory that they share.
  static func make(_ parameters: [AnyParameter], from source: Int, asViews: Bool) -> [PartitionMessage] {
    var kinds: [(dtype: DType, device: Device, parameters: [AnyParameter])] = []
    for parameter in parameters where parameter.tensor.count > 0 {
      let (dtype, device) = (parameter.tensor.dtype, parameter.tensor.device)
      if let place = kinds.firstIndex(where: { $0.dtype == dtype && $0.device == device }) {
        kinds[place].parameters.append(parameter)
      } else {
        kinds.append((dtype, device, [parameter]))
      }
    }
    return kinds.map { PartitionMessage($0.parameters, source, asViews ? joined($0.parameters) : nil) }
  }

  private static func joined(_ parameters: [AnyParameter]) -> Tensor {
    withoutGradients {
      let flat = flattened(parameters)
      for (parameter, part) in zip(parameters, parts(of: flat, parameters)) {
        parameter.tensor.replaceData(with: part)
      }
      return flat
    }
  }

  private static func flattened(_ parameters: [AnyParameter]) -> Tensor {
    .cat(parameters.map { $0.tensor.detached().reshaped(-1) })
  }

  private static func parts(of flat: Tensor, _ parameters: [AnyParameter]) -> [Tensor] {
    var start = 0
    return parameters.map { parameter in
      let tensor = parameter.tensor
      defer { start += tensor.count }
      return flat.narrowed(dim: 0, start: start, length: tensor.count).view(tensor.shape)
    }
  }

  /// Begins the broadcast. Called on all ranks with gradient recording off.
  func start(in group: ProcessGroup) throws -> Work {
    if let views { return try group.startBroadcast(views, from: source) }
    let sent: Tensor
    if group.rank == source {
      sent = Self.flattened(parameters)
    } else {
      let count = parameters.reduce(0) { $0 + $1.tensor.count }
      sent = .empty([count], dtype: parameters[0].tensor.dtype, device: parameters[0].tensor.device)
    }
    copy = sent
    return try group.startBroadcast(sent, from: source)
  }

  /// Takes over what arrived.
  func finish(in group: ProcessGroup) {
    guard let copy else { return }
    if group.rank != source {
      for (parameter, part) in zip(parameters, Self.parts(of: copy, parameters)) {
        parameter.tensor.detached().copy(from: part)
      }
    }
    self.copy = nil
  }
}
