internal import Torch
internal import TorchNN
internal import TorchOptim

/// Keeps the state of optimizers in the memory of the host or on disk while a strategy trains.
///
/// State goes there when training starts, so that a checkpoint can be loaded before, and comes back for a checkpoint and at
/// the end.
final class OptimizerOffload {
  /// Nil for state that stays in memory, of parameters that do not.
  private let options: ZeroOptimization.Offload?
  private let disk: DiskOptions
  private let subGroupSize: Int
  private var optimizers: [Optimizer] = []
  private var offloaded: [ObjectIdentifier: OffloadedOptimizer] = [:]
  /// State of a checkpoint that has not been moved there yet.
  private var incoming: [ObjectIdentifier: IncomingState] = [:]
  /// What went wrong in a step; set back by the strategy.
  var failure: (any Error)?
  /// Why the state is no longer that of one step.
  private var damage: (any Error)?

  /// The most elements of a sub-group on disk: four buffers of it take some 200 MB with Adam.
  private static let largestSubGroup = 1 << 22

  init(
    _ options: ZeroOptimization.Offload?, subGroupSize: Int, _ disk: DiskOptions
  ) {
    self.options = options
    self.subGroupSize = max(64, min(subGroupSize, Self.largestSubGroup))
    self.disk = disk
  }

  var isOnDisk: Bool { options?.device == .nvme }

  private var folder: String { options?.folder ?? "/tmp" }

  /// Takes over the steps of optimizers.
  ///
  /// - Throws: `ConfigurationError` when an optimizer looks at more than single elements, `ShardStoreError` when the folder
  ///   cannot be written to.
  func attach(to optimizers: [Optimizer]) throws {
    for optimizer in optimizers where !(optimizer is Adam || optimizer is SGD) {
      throw ConfigurationError(
        "offloadOptimizer", "\(type(of: optimizer)) cannot be offloaded: its steps are not made element by element",
        suggestion: "use Adam, AdamW or SGD, or do without offload")
    }
    if isOnDisk { try DiskShardStore(in: folder, options: disk).close() }
    self.optimizers = optimizers
    for optimizer in optimizers {
      optimizer.replacementStep = { [weak self, unowned optimizer] in
        guard let self else { return optimizer.step() }
        do {
          try step(optimizer)
        } catch {
          failure = failure ?? error
          damage = damage ?? error
        }
      }
    }
  }

  /// Moves the state of all optimizers there, and takes the room it needs.
  ///
  /// - Throws: `ShardStoreError` when there is not enough room.
  func prepare() throws {
    for optimizer in optimizers { _ = try home(of: optimizer) }
  }

  private func home(of optimizer: Optimizer) throws -> OffloadedOptimizer {
    let key = ObjectIdentifier(optimizer)
    let own = try offloaded[key] ?? make(optimizer)
    offloaded[key] = own
    return own
  }

  private func step(_ optimizer: Optimizer) throws {
    let own = try home(of: optimizer)
    if isOnHost(optimizer) { return try own.step() }
    // Gradients go to the host and new elements come back.
    let held = Dictionary(
      uniqueKeysWithValues: optimizer.parameters.map { (ObjectIdentifier($0), ($0.tensor, $0.gradient)) })
    func piece(_ tensor: Tensor, _ range: Range<Int>) -> Tensor {
      tensor.detached().reshaped([-1]).narrowed(dim: 0, start: range.lowerBound, length: range.count)
    }
    try own.step(
      gradient: { parameter, range in held[ObjectIdentifier(parameter)]?.1.map { piece($0, range).to(.cpu) } },
      updated: { parameter, range, elements in
        if let tensor = held[ObjectIdentifier(parameter)]?.0 { piece(tensor, range).copy(from: elements) }
      })
  }

  private func isOnHost(_ optimizer: Optimizer) -> Bool {
    optimizer.parameters.allSatisfy { $0.tensor.device.kind == .cpu || $0.stored != nil }
  }

  private func make(_ optimizer: Optimizer) throws -> OffloadedOptimizer {
    let store: any ShardStore =
      isOnDisk ? try DiskShardStore(in: folder, options: disk) : MemoryShardStore()
    let type = optimizer.parameters.first?.tensor.dtype ?? .float32
    return try OffloadedOptimizer(
      optimizer, in: store, subGroupSize: subGroupSize,
      bufferCount: options.map { $0.readsAhead || $0.writesBehind ? $0.bufferCount : 1 } ?? 4,
      masterType: type == .float64 ? .float64 : .float32, storesMasters: isOnHost(optimizer) ? nil : true,
      incoming: incoming.removeValue(forKey: ObjectIdentifier(optimizer)) ?? IncomingState())
  }

  /// Takes over state that is read when it is moved there.
  func take(_ state: IncomingState, of optimizer: Optimizer) {
    if !state.isEmpty { incoming[ObjectIdentifier(optimizer)] = state }
  }

  /// The state of an optimizer with placeholders for what is elsewhere; nil when the optimizer has it itself.
  func stateWithPlaceholders(of optimizer: Optimizer) -> ArchiveValue? {
    offloaded[ObjectIdentifier(optimizer)]?.stateWithPlaceholders()
  }

  /// What a placeholder stands for.
  func stored(_ name: String, of parameter: AnyParameter, in optimizer: Optimizer) -> StoredState? {
    offloaded[ObjectIdentifier(optimizer)]?.stored(name, of: parameter)
  }

  /// - Throws: what went wrong in a step before, which left some elements updated and others not.
  func checkState() throws { if let damage { throw damage } }

  /// Gives the optimizers their state back; the next step takes it again.
  ///
  /// - Throws: what went wrong in a step before, which left some elements updated and others not.
  func release() throws {
    try checkState()
    for optimizer in optimizers {
      guard let own = offloaded.removeValue(forKey: ObjectIdentifier(optimizer)) else { continue }
      try own.finish()
    }
  }

  /// Ends the offload; state that was not given back is lost.
  func detach() {
    for optimizer in optimizers { optimizer.replacementStep = nil }
    for own in offloaded.values { own.store.close() }
    offloaded = [:]
    incoming = [:]
    optimizers = []
  }
}
