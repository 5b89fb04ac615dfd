public import Torch
public import TorchNN
internal import TorchOptim

/// The state in memory, for checkpoints.
extension OffloadedOptimizer {
  /// State of parameters, by group and position.
  struct WholeState {
    var entries: [(group: ParameterGroup, position: Int, state: ArchiveDictionary)] = []
  }

  /// Runs `body` while the optimizer itself has all of its state, as it has without a store: to read it for a checkpoint, or
  /// to load it from one. What it has afterwards goes to the store again.
  public func withState<Result>(_ body: () throws -> Result) throws -> Result {
    try giveBackState()
    let result = Swift.Result { try body() }
    let state = Self.takeState(of: optimizer)
    try put(state)
    return try result.get()
  }

  /// Gives the optimizer all of its state back, and closes the store. No step can be made here afterwards.
  public func finish() throws {
    try giveBackState()
    store.close()
  }

  private func giveBackState() throws {
    // Optimizers take state to where the parameter is; one that holds nothing is stood in for.
    let held = HeldTensors(optimizer.parameters)
    defer { held.restore() }
    for parameter in optimizer.parameters {
      guard let own = held[parameter] else { continue }
      parameter.tensor =
        own.device.kind == .meta ? Tensor.zeros([1], dtype: own.dtype).expanded(to: own.shape) : own
    }
    for entry in try wholeState().entries { set(entry.state, of: entry.position, in: entry.group, sharing: true) }
  }

  /// The state as a dictionary in PyTorch's layout, with placeholders for vectors; ``stored(_:of:)`` is what they stand for.
  func stateWithPlaceholders() -> ArchiveValue {
    guard var archive = optimizer.stateDictionary().dictionaryValue else { return .dictionary([:]) }
    var states = archive["state"]?.dictionaryValue ?? [:]
    var offset = 0
    for group in optimizer.parameterGroups {
      for subGroup in subGroups where subGroup.group === group {
        for piece in subGroup.pieces where piece.hasState {
          var state = piece.scalars
          for name in subGroup.states.keys.sorted() {
            state[name] = .tensor(Tensor.empty(piece.parameter.tensor.shape, dtype: masterType, device: .meta))
          }
          states[offset + piece.position] = .dictionary(state)
        }
      }
      offset += group.parameters.count
    }
    archive["state"] = .dictionary(states)
    return .dictionary(archive)
  }

  /// A vector of state of a parameter; nil when there is none of that name.
  func stored(_ name: String, of parameter: AnyParameter) -> StoredState? {
    var parts: [StoredState.Part] = []
    for subGroup in subGroups {
      guard let slot = subGroup.states[name] else { continue }
      for piece in subGroup.pieces where piece.parameter === parameter && piece.hasState {
        parts.append(.init(range: piece.range, slot: slot, offset: piece.offset))
      }
    }
    guard !parts.isEmpty else { return nil }
    return StoredState(count: parameter.tensor.count, dtype: masterType, parts: parts, reader: reader)
  }

  /// The elements of a parameter as the optimizer updates them: a vector of ``masterType``.
  public func master(of parameter: AnyParameter) throws -> Tensor {
    let whole = Tensor.empty([parameter.tensor.count], dtype: masterType)
    for subGroup in subGroups where subGroup.pieces.contains(where: { $0.parameter === parameter }) {
      let vector = try subGroup.master.map { try store.load($0) }
      for piece in subGroup.pieces where piece.parameter === parameter {
        let source =
          try vector?.narrowed(dim: 0, start: piece.offset, length: piece.range.count) ?? held(piece)
        withoutGradients {
          whole.narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count).copy(from: source)
        }
      }
    }
    return whole
  }

  /// Takes the elements to be updated from what the parameters hold, as after weights were loaded.
  public func takeMasters() throws {
    for (index, subGroup) in subGroups.enumerated() {
      guard let master = subGroup.master else { continue }
      let buffer = buffers[index % bufferCount]
      try buffer.wait()
      let vector = buffer.vector(SubGroupBuffers.master, count: master.count, dtype: masterType)
      try withoutGradients {
        for piece in subGroup.pieces {
          vector.narrowed(dim: 0, start: piece.offset, length: piece.range.count).copy(from: try held(piece))
        }
      }
      try buffer.startSaving(master, SubGroupBuffers.master)
    }
    for buffer in buffers { try buffer.wait() }
  }

  /// The elements of a piece as its parameter has them.
  private func held(_ piece: SubGroup.Piece) throws -> Tensor {
    if let (parameter, own) = piece.stored { return try parameter.store.load(own.elements) }
    return piece.parameter.tensor.detached().reshaped([-1])
      .narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
  }

  /// Takes the state out of an optimizer.
  static func takeState(of optimizer: Optimizer) -> WholeState {
    var whole = WholeState()
    for group in optimizer.parameterGroups {
      for position in group.parameters.indices {
        let state = optimizer.state(of: position, in: group)
        guard !state.isEmpty else { continue }
        whole.entries.append((group, position, state))
        var reader = StateReader([:])
        optimizer.setState(&reader, of: position, in: group, dryRun: false)
      }
    }
    return whole
  }

  /// Puts state into the store, in place of what is there.
  ///
  /// - Parameter incoming: where the elements of a vector are that the state itself does not have.
  func put(_ whole: WholeState, incoming: IncomingState = IncomingState()) throws {
    var states: [ObjectIdentifier: [Int: ArchiveDictionary]] = [:]
    for entry in whole.entries { states[ObjectIdentifier(entry.group), default: [:]][entry.position] = entry.state }
    for (index, subGroup) in subGroups.enumerated() {
      let own = states[ObjectIdentifier(subGroup.group)] ?? [:]
      let buffer = buffers[index % bufferCount]
      try buffer.wait()
      for number in subGroup.pieces.indices {
        let piece = subGroup.pieces[number]
        let state = own[piece.position] ?? [:]
        var scalars = ArchiveDictionary()
        for (key, value) in state {
          guard case .string(let name) = key, let slot = subGroup.states[name], case .tensor(let tensor) = value else {
            scalars[key] = value
            continue
          }
          let elements =
            try incoming.read(name, of: piece.parameter, piece.range)
            ?? tensor.reshaped([-1]).narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
          withoutGradients {
            buffer.vector(name, count: slot.count, dtype: masterType)
              .narrowed(dim: 0, start: piece.offset, length: piece.range.count).copy(from: elements)
          }
        }
        subGroup.pieces[number].scalars = scalars
        subGroup.pieces[number].hasState = !state.isEmpty
      }
      guard subGroup.pieces.contains(where: \.hasState) else { continue }
      for (name, slot) in subGroup.states { try buffer.startSaving(slot, name) }
    }
    for buffer in buffers { try buffer.wait() }
  }

  /// All state as one process without a store has it.
  private func wholeState() throws -> WholeState {
    var vectors: [ObjectIdentifier: [Int: [String: Tensor]]] = [:]
    var scalars: [ObjectIdentifier: [Int: ArchiveDictionary]] = [:]
    for subGroup in subGroups where subGroup.pieces.contains(where: \.hasState) {
      let group = ObjectIdentifier(subGroup.group)
      for (name, slot) in subGroup.states {
        let vector = try store.load(slot)
        for piece in subGroup.pieces where piece.hasState {
          let whole =
            vectors[group]?[piece.position]?[name]
            ?? .zeros([piece.parameter.tensor.count], dtype: masterType)
          vectors[group, default: [:]][piece.position, default: [:]][name] = whole
          withoutGradients {
            whole.narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
              .copy(from: vector.narrowed(dim: 0, start: piece.offset, length: piece.range.count))
          }
        }
      }
      for piece in subGroup.pieces where piece.hasState { scalars[group, default: [:]][piece.position] = piece.scalars }
    }
    var result = WholeState()
    for group in optimizer.parameterGroups {
      let key = ObjectIdentifier(group)
      for (position, parameter) in group.parameters.enumerated() {
        guard var state = scalars[key]?[position] else { continue }
        for (name, vector) in vectors[key]?[position] ?? [:] {
          state[name] = .tensor(vector.reshaped(parameter.tensor.shape))
        }
        result.entries.append((group, position, state))
      }
    }
    return result
  }
}
