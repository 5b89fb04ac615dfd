internal import Torch
internal import TorchNN
internal import TorchOptim

/// The state of a run as this rank holds it.
struct StateInPieces {
  /// The state dictionary, with placeholders.
  let weights: ArchiveDictionary
  /// The states of the optimizers, with placeholders and the names of the parameters.
  let optimizers: [ArchiveValue]
  /// What the placeholders stand for.
  let pieces: TensorPieces
}

extension Strategy {
  /// The state of module and optimizers, of which every rank writes what it holds.
  final func stateInPieces(weightsOnly: Bool) throws -> StateInPieces {
    let pieces = TensorPieces()
    let placements = Dictionary(
      parameterPlacements.map { (ObjectIdentifier($0.parameter), $0) }, uniquingKeysWith: { first, _ in first })
    let placementOfTensor = Dictionary(
      parameterPlacements.map { (ObjectIdentifier($0.parameter.tensor), $0) }, uniquingKeysWith: { first, _ in first })
    let holders = module?.stateHolders() ?? []
    let names = Dictionary(
      holders.map { (ObjectIdentifier($0.holder), $0.key) }, uniquingKeysWith: { first, _ in first })
    var weights = ArchiveDictionary()
    weights.isOrderedDict = true
    var placeholders: [ObjectIdentifier: Tensor] = [:]
    let holderOfKey = Dictionary(holders.map { ($0.key, $0.holder) }, uniquingKeysWith: { first, _ in first })
    func add(_ key: String, _ holder: TensorHolder?, _ tensor: Tensor) {
      // Tied properties hold the same tensor.
      if let holder, let known = placeholders[ObjectIdentifier(holder.tensor)] {
        weights[key] = .tensor(known)
        return
      }
      let placeholder: Tensor
      if let holder,
        let placement = placements[ObjectIdentifier(holder)] ?? placementOfTensor[ObjectIdentifier(holder.tensor)]
      {
        placeholder = pieces.placeholder(for: piece(of: tensor, placement.parameter.stored, placement))
      } else {
        // Buffers may differ; those of rank 0 count.
        let isShared = hasEqualReplicas && holder is AnyParameter
        placeholder = pieces.placeholder(for: TensorPiece(whole: tensor, isPrimary: isShared || rank == 0))
      }
      if let holder { placeholders[ObjectIdentifier(holder.tensor)] = placeholder }
      weights[key] = .tensor(placeholder)
    }
    if placements.isEmpty {
      for (key, tensor) in try moduleState() { add(key, holderOfKey[key], tensor) }
    } else {
      for (key, holder) in holders { add(key, holder, holder.tensor.detached()) }
    }
    var states: [ArchiveValue] = []
    if !weightsOnly {
      states =
        try placements.isEmpty
        ? optimizerState() : optimizers.map { stateWithPlaceholders(of: $0) ?? $0.stateDictionary() }
      for (number, optimizer) in optimizers.enumerated() where number < states.count {
        states[number] = inPieces(states[number], of: optimizer, names, placements, pieces)
      }
    }
    return StateInPieces(weights: weights, optimizers: states, pieces: pieces)
  }

  private func inPieces(
    _ state: ArchiveValue, of optimizer: Optimizer, _ names: [ObjectIdentifier: String],
    _ placements: [ObjectIdentifier: ParameterPlacement], _ pieces: TensorPieces
  ) -> ArchiveValue {
    let parameters = optimizer.parameters
    guard var own = state.dictionaryValue, let states = own["state"]?.dictionaryValue else { return state }
    func name(_ index: Int) -> String {
      guard parameters.indices.contains(index) else { return "\(index)" }
      let identifier = ObjectIdentifier(parameters[index])
      return placements[identifier]?.name ?? names[identifier] ?? "\(index)"
    }
    var kept = ArchiveDictionary()
    for (key, value) in states {
      guard case .int(let index) = key, var entries = value.dictionaryValue else {
        kept[key] = value
        continue
      }
      let placement = parameters.indices.contains(index) ? placements[ObjectIdentifier(parameters[index])] : nil
      for (entry, value) in entries {
        guard case .tensor(let tensor) = value else { continue }
        if RankState.base(of: entry.text) != nil {
          entries[entry] = .tensor(pieces.placeholder(for: RankState.piece(tensor, rank: rank, of: worldSize)))
          continue
        }
        let stored = placement.flatMap { storedState(entry.text, of: $0.parameter, in: optimizer) }
        entries[entry] = .tensor(pieces.placeholder(for: piece(of: tensor, stored, entry.text, placement)))
      }
      kept[index] = .dictionary(entries)
    }
    own["state"] = .dictionary(kept)
    own["param_groups"] = .list(
      (own["param_groups"]?.listValue ?? []).map { group in
        guard var group = group.dictionaryValue, let numbers = group["params"]?.listValue else { return group }
        group["param_names"] = .list(numbers.map { .string(name($0.intValue ?? -1)) })
        return .dictionary(group)
      })
    return .dictionary(own)
  }

  private func piece(
    of held: Tensor, _ stored: (any StoredElements)?, _ placement: ParameterPlacement
  ) -> TensorPiece {
    let (shape, range, isPrimary) = (placement.shape, placement.range, placement.isPrimary)
    guard let stored else { return TensorPiece(shape: shape, range: range, tensor: held, isPrimary: isPrimary) }
    return TensorPiece(shape: shape, range: range, stored: stored, isPrimary: isPrimary)
  }

  private func piece(
    of state: Tensor, _ stored: (any StoredElements)?, _ name: String, _ placement: ParameterPlacement?
  ) -> TensorPiece {
    guard let placement else { return TensorPiece(whole: state, isPrimary: hasEqualReplicas || rank == 0) }
    if OptimizerStateLayout.isPartitioned(name, state.shape, as: [placement.range.count]) {
      return piece(of: state, stored, placement)
    }
    // A number for the whole parameter: all that hold a part of it have the same one.
    return TensorPiece(whole: state, isPrimary: placement.isPrimary && !placement.range.isEmpty)
  }
}

/// Which states of an optimizer have an element for each of the parameter's.
enum OptimizerStateLayout {
  /// Whether a state of shape `shape` lies as a parameter of shape `parameter`; the count of steps never does.
  static func isPartitioned(_ name: String, _ shape: [Int], as parameter: [Int]) -> Bool {
    name != "step" && shape == parameter
  }
}

extension ArchiveDictionary.Key {
  /// The key without quotes.
  var text: String {
    switch self {
    case .string(let text): text
    case .int(let number): "\(number)"
    }
  }
}
