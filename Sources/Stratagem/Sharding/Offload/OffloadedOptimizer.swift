public import Torch
public import TorchNN
public import TorchOptim

/// An elementwise optimizer whose state, and the elements it updates where parameters hold others, are in a store.
///
/// The elements that this process holds are updated in sub-groups, one after the other: while one is updated the next is being
/// loaded and the one before saved, so that no more than `bufferCount` of them are in memory. The numbers are those of
/// `optimizer.step()`, to the bit.
///
/// ```swift
/// let store = try DiskShardStore(in: "/scratch")
/// let offloaded = try OffloadedOptimizer(adam, in: store, subGroupSize: 50_000_000)
/// try offloaded.step()                                     // with the gradients that the parameters have
/// ```
///
/// See "ZeRO-Infinity: Breaking the GPU Memory Wall for Extreme Scale Deep Learning", https://arxiv.org/abs/2104.07857.
public final class OffloadedOptimizer {
  public let optimizer: Optimizer
  public let store: any ShardStore
  /// The most sub-groups in memory at once.
  public let bufferCount: Int
  /// The type of the elements that are updated, and of their state.
  public let masterType: DType
  /// Whether these elements are in the store; otherwise the parameters hold them.
  public let storesMasters: Bool

  let subGroups: [SubGroup]
  let buffers: [SubGroupBuffers]
  /// Loads state for checkpoints.
  let reader: SlotReader
  /// The names of the vectors of state, for each group of parameters.
  private let stateNames: [ObjectIdentifier: [String]]

  /// Moves the state of `optimizer` to `store`.
  ///
  /// - Parameters:
  ///   - optimizer: updates each element by its gradient and its own state alone, as `Adam`, `AdamW` and `SGD` do. Every
  ///     parameter holds what this process updates of it; nobody else steps it from now on.
  ///   - subGroupSize: the most elements that are updated together; at least 64.
  ///   - bufferCount: the most sub-groups in memory at once; 3 let loading, updating and saving go on at a time.
  ///   - masterType: the type of the elements that are updated; a parameter of another type is updated in it, and gets the
  ///     result in its own.
  ///   - storesMasters: whether these elements are kept in the store; by default where a parameter has another type.
  /// - Throws: ``ConfigurationError`` for sizes out of range, ``ShardStoreError`` when the store has not enough room.
  public convenience init(
    _ optimizer: Optimizer, in store: any ShardStore, subGroupSize: Int = 1 << 27, bufferCount: Int = 4,
    masterType: DType = .float32, storesMasters: Bool? = nil
  ) throws {
    try self.init(
      optimizer, in: store, subGroupSize: subGroupSize, bufferCount: bufferCount, masterType: masterType,
      storesMasters: storesMasters, incoming: IncomingState())
  }

  /// - Parameter incoming: state that the optimizer has placeholders of.
  init(
    _ optimizer: Optimizer, in store: any ShardStore, subGroupSize: Int, bufferCount: Int, masterType: DType,
    storesMasters: Bool?, incoming: IncomingState
  ) throws {
    for (name, value, least) in [("subGroupSize", subGroupSize, 64), ("bufferCount", bufferCount, 1)]
    where value < least {
      throw ConfigurationError(name, "\(name) is \(value)", suggestion: "give at least \(least)")
    }
    self.optimizer = optimizer
    self.store = store
    reader = SlotReader(store)
    self.masterType = masterType
    let hasOtherType = optimizer.parameters.contains { $0.tensor.dtype != masterType }
    guard storesMasters ?? true || !hasOtherType else {
      throw ConfigurationError(
        "storesMasters", "parameters are updated in \(masterType), which is not the type of all of them",
        suggestion: "let storesMasters be true")
    }
    self.storesMasters = storesMasters ?? hasOtherType
    let own = Self.takeState(of: optimizer)
    var names: [ObjectIdentifier: [String]] = [:]
    var subGroups: [SubGroup] = []
    for (number, group) in optimizer.parameterGroups.enumerated() {
      names[ObjectIdentifier(group)] = try Self.probe(optimizer, group, masterType)
      subGroups += SubGroup.make(of: group, number: number, limit: subGroupSize)
    }
    stateNames = names
    self.subGroups = subGroups
    self.bufferCount = min(bufferCount, max(subGroups.count, 1))
    let capacity = subGroups.map(\.count).max() ?? 0
    let maker = optimizer.parameters.lazy.compactMap(\.stored).first?.store ?? store
    buffers = (0..<self.bufferCount).map { _ in
      SubGroupBuffers(store, alignedFor: maker, capacity: capacity)
    }

    for subGroup in subGroups {
      if self.storesMasters {
        subGroup.master = try store.reserve(
          "the elements of \(subGroup.name)", count: subGroup.count, dtype: masterType)
      }
      for name in names[ObjectIdentifier(subGroup.group)] ?? [] {
        subGroup.states[name] = try store.reserve(
          "\(name) of \(subGroup.name)", count: subGroup.count, dtype: masterType)
      }
    }
    try store.prepare()
    try takeMasters()
    try put(own, incoming: incoming)
  }

  /// The bytes of memory that sub-groups are updated in.
  public var bufferByteCount: Int { buffers.reduce(0) { $0 + $1.byteCount } }

  /// Updates all parameters by the gradients they have; those without one are left alone, with their state.
  public func step() throws {
    try step(
      gradient: { piece, held in
        held.gradient.map {
          $0.detached().reshaped([-1]).narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
        }
      },
      update: { piece, held, elements in
        held.detached().reshaped([-1]).narrowed(dim: 0, start: piece.lowerBound, length: piece.count)
          .copy(from: elements)
      })
  }

  /// Updates the elements of all parameters.
  ///
  /// - Parameters:
  ///   - gradient: the gradient of some elements of a parameter, a vector; nil to leave them alone.
  ///   - updated: takes the new numbers of these elements, a vector of ``masterType`` that is good for the time of the call.
  public func step(
    gradient: (AnyParameter, Range<Int>) throws -> Tensor?,
    updated: (AnyParameter, Range<Int>, Tensor) throws -> Void
  ) throws {
    let parameters = optimizer.parameters
    let owners = Dictionary(uniqueKeysWithValues: parameters.map { (ObjectIdentifier($0.tensor), $0) })
    try step(
      gradient: { range, held in try owners[ObjectIdentifier(held)].flatMap { try gradient($0, range) } },
      update: { range, held, elements in
        if let owner = owners[ObjectIdentifier(held)] { try updated(owner, range, elements) }
      })
  }

  private func step(
    gradient: (Range<Int>, Tensor) throws -> Tensor?, update: (Range<Int>, Tensor, Tensor) throws -> Void
  ) throws {
    reader.forget()
    // Parameters hold the piece that is updated, in place of their own tensor; those without a gradient stand aside.
    let held = HeldTensors(optimizer.parameters)
    defer { held.restore() }
    let lead = bufferCount == 1 ? 0 : max(1, bufferCount - 2)
    var next = 0
    do {
      for index in subGroups.indices {
        while next < min(subGroups.count, index + lead + 1) {
          try load(next)
          next += 1
        }
        try self.update(index, held, gradient, update)
      }
      for buffer in buffers { try buffer.wait() }
    } catch {
      for buffer in buffers { try? buffer.wait() }
      throw error
    }
  }

  /// Starts to load a sub-group, when the one before it in the same memory is saved.
  private func load(_ index: Int) throws {
    let subGroup = subGroups[index]
    let buffer = buffers[index % bufferCount]
    try buffer.wait()
    if let master = subGroup.master { try buffer.startLoading(master, SubGroupBuffers.master) }
    for piece in subGroup.pieces {
      guard let (parameter, own) = piece.stored, parameter.isPresent else { continue }
      if subGroup.master == nil {
        try buffer.startLoading(own.elements, from: parameter.store, SubGroupBuffers.master, at: piece.offset)
      }
      try buffer.startLoading(own.gradient, from: parameter.store, SubGroupBuffers.gradient, at: piece.offset)
    }
    guard subGroup.pieces.contains(where: \.hasState) else { return }
    for (name, slot) in subGroup.states { try buffer.startLoading(slot, name) }
  }

  /// Updates a sub-group and starts to save it.
  private func update(
    _ index: Int, _ held: HeldTensors, _ gradient: (Range<Int>, Tensor) throws -> Tensor?,
    _ report: (Range<Int>, Tensor, Tensor) throws -> Void
  ) throws {
    let subGroup = subGroups[index]
    let buffer = buffers[index % bufferCount]
    try buffer.wait()
    var updated: [Int] = []
    for (number, piece) in subGroup.pieces.enumerated() {
      guard let own = held[piece.parameter],
        let incoming = try piece.stored == nil ? gradient(piece.range, own) : storedGradient(piece, buffer)
      else { continue }
      let elements = self.elements(of: piece, subGroup, buffer, own)
      piece.parameter.tensor = elements.variableData()
      piece.parameter.gradient = incoming.dtype == masterType ? incoming : incoming.to(masterType)
      adopt(piece, subGroup, buffer)
      updated.append(number)
    }
    guard !updated.isEmpty else { return }
    try withErrorScope { optimizer.step() }
    for number in updated {
      let piece = subGroup.pieces[number]
      let elements = piece.parameter.tensor.detached()
      keepState(number, subGroup, buffer)
      held.setAside(piece.parameter)
      if piece.stored != nil {
        try save(piece, elements, subGroup, buffer)
      } else if let own = held[piece.parameter] {
        try withoutGradients { try report(piece.range, own, elements) }
      }
    }
    if let master = subGroup.master { try buffer.startSaving(master, SubGroupBuffers.master) }
    for (name, slot) in subGroup.states { try buffer.startSaving(slot, name) }
  }

  /// The loaded gradient of a piece that is in a store; nil when there is none.
  private func storedGradient(_ piece: SubGroup.Piece, _ buffer: SubGroupBuffers) -> Tensor? {
    guard let (parameter, own) = piece.stored, parameter.isPresent else { return nil }
    let gradient = buffer.part(
      SubGroupBuffers.gradient, at: piece.offset, count: own.gradient.count, dtype: own.gradient.dtype)
    parameter.applyChanges(to: gradient)
    return gradient
  }

  /// Starts to save the new elements of a piece that is in a store.
  private func save(
    _ piece: SubGroup.Piece, _ elements: Tensor, _ subGroup: SubGroup, _ buffer: SubGroupBuffers
  ) throws {
    guard let (parameter, own) = piece.stored else { return }
    var name = SubGroupBuffers.master
    if subGroup.master != nil {
      name = SubGroupBuffers.held
      let held = buffer.part(name, at: piece.offset, count: own.elements.count, dtype: own.elements.dtype)
      withoutGradients { held.copy(from: elements) }
    }
    try buffer.startSaving(own.elements, to: parameter.store, name, at: piece.offset)
  }

  private func elements(
    of piece: SubGroup.Piece, _ subGroup: SubGroup, _ buffer: SubGroupBuffers, _ held: Tensor
  ) -> Tensor {
    guard let master = subGroup.master else {
      if let (_, own) = piece.stored {
        return buffer.part(
          SubGroupBuffers.master, at: piece.offset, count: own.elements.count, dtype: own.elements.dtype)
      }
      return held.detached().reshaped([-1])
        .narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
    }
    return buffer.vector(SubGroupBuffers.master, count: master.count, dtype: masterType)
      .narrowed(dim: 0, start: piece.offset, length: piece.range.count)
  }

  /// Gives the optimizer the state of a piece, which it then changes where it is.
  private func adopt(_ piece: SubGroup.Piece, _ subGroup: SubGroup, _ buffer: SubGroupBuffers) {
    var state = ArchiveDictionary()
    if piece.hasState {
      state = piece.scalars
      for (name, slot) in subGroup.states {
        state[name] = .tensor(
          buffer.vector(name, count: slot.count, dtype: masterType)
            .narrowed(dim: 0, start: piece.offset, length: piece.range.count))
      }
    }
    set(state, of: piece.position, in: subGroup.group, sharing: true)
  }

  /// Takes the state of a piece out of the optimizer.
  private func keepState(_ number: Int, _ subGroup: SubGroup, _ buffer: SubGroupBuffers) {
    let piece = subGroup.pieces[number]
    let state = optimizer.state(of: piece.position, in: subGroup.group)
    var scalars = ArchiveDictionary()
    for (key, value) in state {
      guard case .string(let name) = key, let slot = subGroup.states[name], case .tensor(let tensor) = value else {
        scalars[key] = value
        continue
      }
      let place = buffer.vector(name, count: slot.count, dtype: masterType)
        .narrowed(dim: 0, start: piece.offset, length: piece.range.count)
      if tensor.storageIdentifier != place.storageIdentifier { withoutGradients { place.copy(from: tensor) } }
    }
    subGroup.pieces[number].scalars = scalars
    subGroup.pieces[number].hasState = !state.isEmpty
    set([:], of: piece.position, in: subGroup.group, sharing: false)
  }

  func set(_ state: ArchiveDictionary, of position: Int, in group: ParameterGroup, sharing: Bool) {
    var reader = StateReader(state)
    reader.sharesTensors = sharing
    withoutGradients { optimizer.setState(&reader, of: position, in: group, dryRun: false) }
    if let problem = reader.problems.first {
      _ = Tensor.failed(operation: "offloaded state of \(type(of: optimizer))", message: problem)
    }
  }

  /// Finds out what vectors of state an optimizer keeps, by a step of one parameter of one element.
  private static func probe(_ optimizer: Optimizer, _ group: ParameterGroup, _ dtype: DType) throws -> [String] {
    guard let parameter = group.parameters.first else { return [] }
    let held = HeldTensors(optimizer.parameters)
    defer { held.restore() }
    parameter.tensor = Tensor.zeros([1], dtype: dtype)
    parameter.gradient = Tensor.zeros([1], dtype: dtype)
    try withErrorScope { optimizer.step() }
    let state = optimizer.state(of: 0, in: group)
    var reader = StateReader([:])
    optimizer.setState(&reader, of: 0, in: group, dryRun: false)
    return state.compactMap { key, value in
      guard case .string(let name) = key, case .tensor(let tensor) = value, tensor.shape == [1] else { return nil }
      return name
    }
  }
}
