internal import Torch
internal import TorchDistributed
internal import TorchNN
internal import TorchOptim

/// The state of optimizers in whole tensors, as a run that partitions nothing has it.
extension ShardingEngine {
  /// What a rank has of an entry of the state of a parameter.
  private struct Entry: Codable {
    enum Kind: String, Codable {
      /// A vector of the rank's elements of the parameter.
      case piece
      /// A tensor that does not depend on the elements.
      case tensor
      case int, double, bool, string, none
    }

    let key: String
    let kind: Kind
    var dtype = 0
    var shape: [Int] = []
    var text = ""
  }

  /// The state of an optimizer in PyTorch's layout with whole tensors, on rank 0; the others have an empty one. Called on
  /// all ranks.
  func wholeState(of optimizer: Optimizer) throws -> ArchiveValue {
    guard groups.mesh.replica(of: groups.rank) == 0 else { return .dictionary([:]) }
    guard var archive = optimizer.stateDictionary().dictionaryValue else { return .dictionary([:]) }
    let own = archive["state"]?.dictionaryValue ?? [:]
    var states = ArchiveDictionary()
    let parameters = optimizer.parameters
    let entries = parameters.indices.map { describe(own[$0]?.dictionaryValue ?? [:], of: parameters[$0]) }
    let all = try groups.gathering?.allGather(object: entries) ?? [entries]
    try Tensor.outsideModes {
      for number in parameters.indices {
        let state = try collect(
          own[number]?.dictionaryValue ?? [:], all.map { $0[number] }, places[ObjectIdentifier(parameters[number])])
        if !state.isEmpty { states[number] = .dictionary(state) }
      }
    }
    guard groups.rank == 0 else { return .dictionary([:]) }
    archive["state"] = .dictionary(states)
    return .dictionary(archive)
  }

  private func describe(_ state: ArchiveDictionary, of parameter: AnyParameter) -> [Entry] {
    let place = places[ObjectIdentifier(parameter)]
    let count = place.map { units[$0.unit].partition.pieces[units[$0.unit].rank][$0.index].range.count }
    return state.compactMap { key, value in
      guard case .string(let name) = key else { return nil }
      switch value {
      case .tensor(let tensor):
        let shape = tensor.shape
        let isPiece = count != nil && shape == [count ?? 0]
        return Entry(
          key: name, kind: isPiece ? .piece : .tensor, dtype: Int(tensor.dtype.rawValue), shape: shape)
      case .int(let number): return Entry(key: name, kind: .int, text: "\(number)")
      case .double(let number): return Entry(key: name, kind: .double, text: "\(number)")
      case .bool(let flag): return Entry(key: name, kind: .bool, text: "\(flag)")
      case .string(let text): return Entry(key: name, kind: .string, text: text)
      default: return Entry(key: name, kind: .none)
      }
    }
  }

  /// Brings the state of one parameter to the first rank.
  private func collect(
    _ own: ArchiveDictionary, _ entries: [[Entry]], _ place: (unit: Int, index: Int)?
  ) throws -> ArchiveDictionary {
    guard let owner = entries.firstIndex(where: { !$0.isEmpty }) else { return [:] }
    var state = ArchiveDictionary()
    for entry in entries[owner] {
      switch entry.kind {
      case .int: state[entry.key] = .int(Int(entry.text) ?? 0)
      case .double: state[entry.key] = .double(Double(entry.text) ?? .nan)
      case .bool: state[entry.key] = .bool(entry.text == "true")
      case .string: state[entry.key] = .string(entry.text)
      case .none: state[entry.key] = ArchiveValue.none
      case .tensor:
        if let tensor = try move(own[entry.key]?.tensorValue, entry, from: owner) { state[entry.key] = .tensor(tensor) }
      case .piece:
        guard let place else { continue }
        if let tensor = try collectPieces(own[entry.key]?.tensorValue, entry, place) {
          state[entry.key] = .tensor(tensor)
        }
      }
    }
    return state
  }

  /// Brings a tensor of one rank to the first.
  private func move(_ own: Tensor?, _ entry: Entry, from owner: Int) throws -> Tensor? {
    guard owner != 0, let group = groups.gathering else { return own }
    var outgoing: [Tensor?] = Array(repeating: nil, count: group.size)
    var incoming = outgoing
    let tensor = Tensor.empty(entry.shape, dtype: DType(rawValue: Int8(entry.dtype)) ?? .float32)
    if group.rank == owner { outgoing[0] = own?.to(.cpu).contiguous() }
    if group.rank == 0 { incoming[owner] = tensor }
    for work in try group.startExchange(sending: outgoing, receiving: incoming, as: .allGather) { try work.wait() }
    return tensor
  }

  /// Brings the elements of all ranks together on the first.
  private func collectPieces(_ own: Tensor?, _ entry: Entry, _ place: (unit: Int, index: Int)) throws -> Tensor? {
    let unit = units[place.unit]
    let ranges = unit.partition.pieces.map { $0[place.index].range }
    let isFirst = unit.rank == 0
    let whole = Tensor.zeros(
      [isFirst ? unit.partition.counts[place.index] : 0], dtype: DType(rawValue: Int8(entry.dtype)) ?? .float32)
    func part(_ range: Range<Int>) -> Tensor {
      whole.narrowed(dim: 0, start: range.lowerBound, length: range.count)
    }
    if isFirst, let own, !ranges[0].isEmpty { part(ranges[0]).copy(from: own) }
    if let group = groups.gathering {
      var outgoing: [Tensor?] = Array(repeating: nil, count: group.size)
      var incoming = outgoing
      if isFirst {
        for rank in 1..<group.size where !ranges[rank].isEmpty { incoming[rank] = part(ranges[rank]) }
      } else if !ranges[unit.rank].isEmpty {
        outgoing[0] = own?.to(.cpu).contiguous()
      }
      for work in try group.startExchange(sending: outgoing, receiving: incoming, as: .allGather) { try work.wait() }
    }
    return isFirst ? whole.reshaped(unit.parameters[place.index].shape) : nil
  }

  /// The part of a whole state that this rank's elements have, for ``Optimizer/load(_:)``.
  func localState(_ state: ArchiveValue, of optimizer: Optimizer) -> ArchiveValue {
    guard var archive = state.dictionaryValue, let states = archive["state"]?.dictionaryValue else { return state }
    var local = states
    // Parameters are numbered as in the groups of the saved state.
    let numbers = (archive["param_groups"]?.listValue ?? []).flatMap { group in
      (group["params"]?.listValue ?? []).map { $0.intValue ?? -1 }
    }
    for (number, parameter) in zip(numbers, optimizer.parameters) {
      guard let place = places[ObjectIdentifier(parameter)], var entries = states[number]?.dictionaryValue else {
        continue
      }
      let unit = units[place.unit]
      let shape = unit.parameters[place.index].shape
      let range = unit.partition.pieces[unit.rank][place.index].range
      for (key, value) in entries {
        guard case .tensor(let tensor) = value, tensor.shape == shape, !(shape.isEmpty && key == "step") else {
          continue
        }
        entries[key] = .tensor(
          tensor.reshaped([-1]).narrowed(dim: 0, start: range.lowerBound, length: range.count))
      }
      // Without elements there is no state, as when training began here.
      local[number] = range.isEmpty ? nil : .dictionary(entries)
    }
    archive["state"] = .dictionary(local)
    return .dictionary(archive)
  }
}
