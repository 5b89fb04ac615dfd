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
    for entry in try wholeState().entries { set(entry.state, of: entry.position, in: entry.group, sharing: true) }
    let result = Swift.Result { try body() }
    let state = Self.takeState(of: optimizer)
    try put(state)
    return try result.get()
  }

  /// Gives the optimizer all of its state back, and closes the store. No step can be made here afterwards.
  public func finish() throws {
    for entry in try wholeState().entries { set(entry.state, of: entry.position, in: entry.group, sharing: true) }
    store.close()
  }

  /// The elements of a parameter as the optimizer updates them: a vector of ``masterType``.
  public func master(of parameter: AnyParameter) throws -> Tensor {
    let whole = Tensor.empty([parameter.tensor.count], dtype: masterType)
    for subGroup in subGroups where subGroup.pieces.contains(where: { $0.parameter === parameter }) {
      let vector = try subGroup.master.map { try store.load($0) }
      for piece in subGroup.pieces where piece.parameter === parameter {
        let source =
          vector?.narrowed(dim: 0, start: piece.offset, length: piece.range.count)
          ?? parameter.tensor.detached().reshaped([-1])
          .narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
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
      withoutGradients {
        for piece in subGroup.pieces {
          vector.narrowed(dim: 0, start: piece.offset, length: piece.range.count).copy(
            from: piece.parameter.tensor.detached().reshaped([-1])
              .narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count))
        }
      }
      try buffer.startSaving(master, SubGroupBuffers.master)
    }
    for buffer in buffers { try buffer.wait() }
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
  func put(_ whole: WholeState) throws {
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
          withoutGradients {
            buffer.vector(name, count: slot.count, dtype: masterType)
              .narrowed(dim: 0, start: piece.offset, length: piece.range.count)
              .copy(
                from: tensor.reshaped([-1]).narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count))
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
