internal import Torch
internal import TorchNN
internal import TorchOptim

/// Reads what this rank needs of a checkpoint, and gives it to module and optimizers.
///
/// Everything is read, and its checksums are compared, before anything is given away; when that fails on one rank, it
/// fails on all of them. No rank ever has more in memory than its own share.
final class CheckpointRestorer {
  let checkpoint: Checkpoint
  let path: String
  private let ranks: any RankExchange
  private let placements: [ObjectIdentifier: ParameterPlacement]
  /// The same by the tensor that is held: tied properties hold the same one.
  private let placementOfTensor: [ObjectIdentifier: ParameterPlacement]
  private var weights: [(values: Tensor, target: Tensor)] = []
  private var optimizers: [ArchiveValue]?
  /// What goes to disk without being in memory as a whole.
  private var storedWeights: [(read: IncomingState.Reader, target: StoredParameter)] = []
  private var storedStates: [IncomingState] = []
  /// What is read twice: first to see whether it is whole.
  private var toVerify: [Wish] = []

  /// Elements that are wanted, and what becomes of them.
  struct Wish {
    let tensor: Tensor
    let range: Range<Int>
  }

  init(_ checkpoint: Checkpoint, _ path: String, _ ranks: any RankExchange, _ placements: [ParameterPlacement]) {
    self.checkpoint = checkpoint
    self.path = path
    self.ranks = ranks
    self.placements = Dictionary(
      placements.map { (ObjectIdentifier($0.parameter), $0) }, uniquingKeysWith: { first, _ in first })
    placementOfTensor = Dictionary(
      placements.map { (ObjectIdentifier($0.parameter.tensor), $0) }, uniquingKeysWith: { first, _ in first })
  }

  /// Reads what the module and the optimizers need. Called on all ranks.
  ///
  /// - Parameters:
  ///   - optimizers: nil to leave their state where it is.
  ///   - worldSize: the number of ranks.
  func read(into module: AnyLightningModule, _ optimizers: [Optimizer]?, worldSize: Int) throws {
    _ = try ranks.together(path) { () -> Bool in
      try withErrorScope {
        // Of a checksum over a tensor no rank that reads a part can tell anything.
        try checkpoint.source?.verify(part: ranks.rank, of: worldSize)
        var requests: [TensorRequest] = []
        try collectWeights(of: module, &requests)
        if let optimizers, let states = checkpoint["optimizer_states"]?.listValue, states.count == optimizers.count {
          let names = Dictionary(
            module.stateHolders().map { (ObjectIdentifier($0.holder), $0.key) }, uniquingKeysWith: { first, _ in first }
          )
          self.optimizers = try zip(optimizers, states).map { optimizer, state in
            storedStates.append(IncomingState())
            return try collect(state, of: optimizer, names, &requests)
          }
        }
        if let source = checkpoint.source { try source.read(requests) }
        if checkpoint.source?.comparesWhatIsRead == true { for wish in toVerify { try verify(wish) } }
        toVerify = []
      }
      return true
    }
  }

  /// Puts the weights into the module; their memory is free afterwards.
  func applyWeights(to module: AnyLightningModule) throws {
    defer { (weights, storedWeights) = ([], []) }
    try withErrorScope {
      try withoutGradients {
        for (values, target) in weights { target.copy(from: values.reshaped(target.shape)) }
        for (read, target) in storedWeights { try target.replace(read) }
      }
    }
    module.apply { $0.didLoadState() }
  }

  /// The state of an optimizer as it has to be loaded here, to be asked for once; nil when it was not read.
  func takeState(of number: Int) -> ArchiveValue? {
    guard let states = optimizers, states.indices.contains(number) else { return nil }
    defer { optimizers?[number] = ArchiveValue.none }
    return states[number]
  }

  /// State that the optimizer has placeholders of, to be asked for once.
  func takeStoredState(of number: Int) -> IncomingState {
    guard storedStates.indices.contains(number) else { return IncomingState() }
    defer { storedStates[number] = IncomingState() }
    return storedStates[number]
  }

  /// Whether states share no memory with anything else.
  var ownsStates: Bool { checkpoint.source != nil }

  private func collectWeights(of module: AnyLightningModule, _ requests: inout [TensorRequest]) throws {
    guard let state = checkpoint.stateDictionary else {
      throw CheckpointError(path: path, reason: "there is no 'state_dict' in it, so it is not a training checkpoint")
    }
    var missing: [String] = []
    var mismatched: [StateDictionaryError.Mismatch] = []
    var shapes: [String: [Int]] = [:]
    var known: Set<String> = []
    var done: Set<ObjectIdentifier> = []
    for (key, holder) in module.stateHolders() {
      known.insert(key)
      let placement = placements[ObjectIdentifier(holder)] ?? placementOfTensor[ObjectIdentifier(holder.tensor)]
      let expected = placement?.shape ?? holder.tensor.shape
      guard let source = state[key] else {
        missing.append(key)
        shapes[key] = expected
        continue
      }
      guard source.shape == expected || expected.isEmpty && source.shape == [1] else {
        mismatched.append(.init(key: key, expected: expected, found: source.shape))
        continue
      }
      guard done.insert(ObjectIdentifier(holder.tensor)).inserted else { continue }
      let wish = Wish(tensor: source, range: placement?.range ?? 0..<source.count)
      if let stored = placement?.parameter.stored {
        storedWeights.append((try reader(of: wish), stored))
        toVerify.append(wish)
      } else {
        weights.append((try values(wish, &requests), holder.tensor.detached()))
      }
    }
    let unexpected = Array(state.keys).filter { !known.contains($0) }
    guard missing.isEmpty, unexpected.isEmpty, mismatched.isEmpty else {
      for key in unexpected { shapes[key] = state[key]?.shape }
      let error = StateDictionaryError(
        moduleType: "\(type(of: module))", missing: missing, unexpected: unexpected, mismatched: mismatched,
        shapes: shapes)
      throw CheckpointError(path: path, reason: "it is of another model than \(type(of: module)).\n\(error)")
    }
  }

  /// The elements: a part of a tensor in memory, or memory that a request fills.
  private func values(_ wish: Wish, _ requests: inout [TensorRequest]) throws -> Tensor {
    guard wish.tensor.device.kind == .meta else {
      return withoutGradients {
        let flat = wish.tensor.detached().flattened()
        guard wish.range.count != flat.count else { return flat }
        return flat.narrowed(dim: 0, start: wish.range.lowerBound, length: wish.range.count)
      }
    }
    _ = try source(of: wish)
    let request = TensorRequest(wish.tensor, wish.range)
    requests.append(request)
    return request.target
  }

  /// The state of an optimizer with the elements of this rank, numbered as the optimizer numbers its parameters.
  private func collect(
    _ state: ArchiveValue, of optimizer: Optimizer, _ names: [ObjectIdentifier: String],
    _ requests: inout [TensorRequest]
  ) throws -> ArchiveValue {
    guard let saved = state.dictionaryValue, let groups = saved["param_groups"]?.listValue,
      groups.count == optimizer.parameterGroups.count
    else { return state }
    let states = saved["state"]?.dictionaryValue ?? [:]
    var own = ArchiveDictionary()
    var ownGroups: [ArchiveValue] = []
    var offset = 0
    for (group, value) in zip(optimizer.parameterGroups, groups) {
      guard var entries = value.dictionaryValue, let numbers = entries["params"]?.listValue?.compactMap(\.intValue),
        numbers.count == group.parameters.count
      else {
        ownGroups.append(value)
        offset += group.parameters.count
        continue
      }
      let ordered = Self.order(
        numbers, saved: entries["param_names"]?.listValue?.compactMap(\.stringValue) ?? [],
        own: group.parameters.map { placements[ObjectIdentifier($0)]?.name ?? names[ObjectIdentifier($0)] })
      for (position, number) in ordered.enumerated() {
        guard let kept = states[number]?.dictionaryValue else { continue }
        // Without elements there is no state, as when training began here.
        let placement = placements[ObjectIdentifier(group.parameters[position])]
        if placement?.range.isEmpty == true, placement?.shape.contains(0) == false { continue }
        own[offset + position] = .dictionary(
          try collect(kept, of: group.parameters[position], in: optimizer, &requests))
      }
      for (key, value) in entries {
        guard case .tensor(let tensor) = value else { continue }
        let whole = try values(Wish(tensor: tensor, range: 0..<tensor.count), &requests)
        entries[key] = .tensor(whole.reshaped(tensor.shape))
      }
      entries["param_names"] = nil
      entries["params"] = .list((offset..<offset + numbers.count).map { .int($0) })
      ownGroups.append(.dictionary(entries))
      offset += numbers.count
    }
    return .dictionary(["state": .dictionary(own), "param_groups": .list(ownGroups)])
  }

  /// The numbers of saved parameters in the order of the own ones: by name where all are known, else as they are.
  private static func order(_ numbers: [Int], saved: [String], own: [String?]) -> [Int] {
    let own = own.compactMap { $0 }
    guard saved.count == numbers.count, own.count == numbers.count, Set(saved) == Set(own),
      Set(own).count == own.count
    else { return numbers }
    let numberOfName = Dictionary(uniqueKeysWithValues: zip(saved, numbers))
    return own.compactMap { numberOfName[$0] }
  }

  private func collect(
    _ state: ArchiveDictionary, of parameter: AnyParameter, in optimizer: Optimizer,
    _ requests: inout [TensorRequest]
  ) throws -> ArchiveDictionary {
    let placement = placements[ObjectIdentifier(parameter)]
    var result = ArchiveDictionary()
    for (key, value) in state {
      guard case .tensor(let tensor) = value else {
        result[key] = value
        continue
      }
      if RankState.base(of: key.text) != nil {
        result[key] = try ownRow(key.text, tensor, of: optimizer, &requests).map { .tensor($0) }
        continue
      }
      if let placement, OptimizerStateLayout.isPartitioned(key.text, tensor.shape, as: placement.shape) {
        if parameter.stored != nil {
          let wish = Wish(tensor: tensor, range: placement.range)
          storedStates[storedStates.count - 1][parameter, key.text] = try reader(of: wish)
          toVerify.append(wish)
          result[key] = .tensor(.empty(parameter.tensor.shape, dtype: tensor.dtype, device: .meta))
          continue
        }
        let part = try values(Wish(tensor: tensor, range: placement.range), &requests)
        // What is listed but held as a whole keeps its shape.
        let shape = parameter.tensor.shape
        result[key] = .tensor(shape.reduce(1, *) == part.count ? part.reshaped(shape) : part)
      } else {
        let whole = try values(Wish(tensor: tensor, range: 0..<tensor.count), &requests)
        result[key] = .tensor(whole.reshaped(tensor.shape))
      }
    }
    return result
  }

  /// This rank's row of what belonged to each rank, or all rows where there were other ranks and they are needed.
  private func ownRow(
    _ name: String, _ tensor: Tensor, of optimizer: Optimizer, _ requests: inout [TensorRequest]
  ) throws -> Tensor? {
    guard let keeper = optimizer as? any RankStateKeeping, let rows = tensor.shape.first, rows > 1 else { return nil }
    let count = tensor.count / rows
    if rows == keeper.rankCount {
      let range = keeper.rank * count..<(keeper.rank + 1) * count
      return try values(Wish(tensor: tensor, range: range), &requests).reshaped([1, count])
    }
    guard keeper.isForOthers(name) else { return nil }
    return try values(Wish(tensor: tensor, range: 0..<tensor.count), &requests).reshaped([rows, count])
  }
}
