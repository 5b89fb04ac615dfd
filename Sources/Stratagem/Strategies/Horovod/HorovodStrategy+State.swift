internal import Torch
internal import TorchDistributed
public import TorchNN
public import TorchOptim

extension HorovodStrategy {
  /// Gives all ranks the parameters of `root`. Called on all ranks.
  public func broadcastParameters(_ parameters: [(name: String, parameter: AnyParameter)], from root: Int = 0) throws {
    guard let group else { return }
    try TensorSignature.compare(
      parameters.map { TensorSignature($0.name, $0.parameter.tensor) }, "parameters to broadcast", group,
      ranks: Array(0..<group.size))
    try group.broadcast(parameters.map { $0.parameter.tensor.detached() }, from: root)
  }

  /// Gives all ranks the options and the state of the optimizer of `root`; state that a rank does not have yet is created.
  /// Called on all ranks.
  public func broadcastOptimizerState(_ optimizer: Optimizer, from root: Int = 0) throws {
    guard let group else { return }
    try HorovodStrategy.broadcastState(of: optimizer, from: root, group)
  }

  /// - Throws: ``ConfigurationError`` for an optimizer that computes gradients itself, whose state is not a matter of single
  ///   parameters.
  static func broadcastState(of optimizer: Optimizer, from root: Int, _ group: ProcessGroup) throws {
    guard optimizer.supportsGradientScaling else {
      throw ConfigurationError(
        "configureOptimizers",
        "horovod cannot give the state of \(type(of: optimizer)) to all ranks: it evaluates the loss several times a step",
        suggestion: "use another optimizer, or strategy: \"ddp\"")
    }
    guard group.size > 1 else { return }
    var tensors: [Tensor] = []
    let own = group.rank == root ? ArchiveSkeleton(optimizer.stateDictionary(), &tensors) : nil
    let skeleton = try group.broadcast(object: own, from: root)
    guard let skeleton else { return }
    if group.rank != root { tensors = skeleton.emptyTensors() }
    try withoutGradients {
      for tensor in tensors { try group.broadcast(tensor.detached(), from: root) }
    }
    guard group.rank != root else { return }
    var rest = tensors[...]
    try optimizer.load(skeleton.value(&rest))
  }
}

/// An archive value whose tensors travel by themselves.
private struct ArchiveSkeleton: Codable {
  private enum Kind: String, Codable { case none, bool, int, double, string, tensor, list, tuple, dictionary }
  private var kind: Kind
  private var integer = 0
  private var text = ""
  private var shape: [Int] = []
  private var keys: [String] = []
  private var isNumber: [Bool] = []
  private var items: [ArchiveSkeleton] = []

  init(_ value: ArchiveValue, _ tensors: inout [Tensor]) {
    switch value {
    case .none: kind = .none
    case .bool(let flag): (kind, integer) = (.bool, flag ? 1 : 0)
    case .int(let number): (kind, integer) = (.int, number)
    case .double(let number): (kind, integer) = (.double, Int(Int64(bitPattern: number.bitPattern)))
    case .string(let string): (kind, text) = (.string, string)
    case .tensor(let tensor):
      (kind, integer, shape) = (.tensor, Int(tensor.dtype.rawValue), tensor.shape)
      tensors.append(tensor.isContiguous && tensor.device == .cpu ? tensor : tensor.to(.cpu).contiguous())
    case .list(let values), .tuple(let values):
      if case .list = value { kind = .list } else { kind = .tuple }
      for value in values { items.append(ArchiveSkeleton(value, &tensors)) }
    case .dictionary(let dictionary):
      kind = .dictionary
      for (key, value) in dictionary {
        switch key {
        case .string(let name): (keys, isNumber) = (keys + [name], isNumber + [false])
        case .int(let number): (keys, isNumber) = (keys + ["\(number)"], isNumber + [true])
        }
        items.append(ArchiveSkeleton(value, &tensors))
      }
    }
  }

  /// Tensors to receive, in order.
  func emptyTensors() -> [Tensor] {
    if kind == .tensor { return [.zeros(shape, dtype: DType(rawValue: Int8(truncatingIfNeeded: integer)) ?? .float32)] }
    return items.flatMap { $0.emptyTensors() }
  }

  func value(_ tensors: inout ArraySlice<Tensor>) -> ArchiveValue {
    switch kind {
    case .none: return .none
    case .bool: return .bool(integer == 1)
    case .int: return .int(integer)
    case .double: return .double(Double(bitPattern: UInt64(bitPattern: Int64(integer))))
    case .string: return .string(text)
    case .tensor: return tensors.popFirst().map { .tensor($0) } ?? .none
    case .list: return .list(items.map { $0.value(&tensors) })
    case .tuple: return .tuple(items.map { $0.value(&tensors) })
    case .dictionary:
      var dictionary = ArchiveDictionary()
      for (index, key) in keys.enumerated() {
        let value = items[index].value(&tensors)
        if isNumber[index], let number = Int(key) { dictionary[number] = value } else { dictionary[key] = value }
      }
      return .dictionary(dictionary)
    }
  }
}
