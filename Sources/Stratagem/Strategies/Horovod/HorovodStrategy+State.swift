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
    guard group.size > 1, let state = try received(optimizer, from: root, by: nil, group) else { return }
    try optimizer.load(state)
  }

  /// Sends the state of the optimizer of `root` to one rank, or to all. Called on all ranks.
  ///
  /// - Parameter receiver: nil for all ranks.
  /// - Returns: the state where it was received.
  private static func received(
    _ optimizer: Optimizer, from root: Int, by receiver: Int?, _ group: ProcessGroup
  ) throws -> ArchiveValue? {
    var tensors: [Tensor] = []
    let own = group.rank == root ? ArchiveSkeleton(optimizer.stateDictionary(), &tensors) : nil
    guard let skeleton = try group.broadcast(object: own, from: root) else { return nil }
    let isReceiver = group.rank != root && group.rank == receiver ?? group.rank
    if isReceiver { tensors = skeleton.emptyTensors() }
    try withoutGradients {
      for tensor in tensors {
        guard let receiver else {
          try group.broadcast(tensor.detached(), from: root)
          continue
        }
        let work =
          isReceiver
          ? try group.startReceive(into: tensor, from: root) : try group.startSend(tensor.detached(), to: receiver)
        try work.wait()
      }
    }
    guard isReceiver else { return nil }
    var rest = tensors[...]
    return skeleton.value(&rest)
  }

  // MARK: Checkpoints

  /// Whether the optimizers of the ranks have states of their own.
  private var hasOwnStates: Bool { reduction.operation == .adasum && worldSize > 1 }

  /// The states of the optimizers of all ranks but the first, on rank 0. Called on all ranks.
  func statesOfOthers() throws -> ArchiveDictionary {
    guard hasOwnStates, !isSavingAlone, let group else { return [:] }
    var states: [ArchiveValue] = []
    for rank in 1..<group.size {
      states.append(
        .list(try optimizers.compactMap { try HorovodStrategy.received($0, from: rank, by: 0, group) }))
    }
    return ["optimizers": .list(states)]
  }

  /// Gives this rank's optimizers the states that they had; on another number of ranks they keep those of rank 0.
  func loadStates(_ state: ArchiveDictionary) throws {
    guard hasOwnStates, let states = state["optimizers"]?.listValue else { return }
    guard states.count == worldSize - 1 else {
      module?.trainer?.announce(
        "note: the checkpoint holds the optimizer states of \(states.count + 1) ranks; the \(worldSize) ranks go on with "
          + "that of rank 0")
      return
    }
    guard rank > 0, let own = states[rank - 1].listValue else { return }
    for (optimizer, state) in zip(optimizers, own) { try optimizer.load(state) }
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
