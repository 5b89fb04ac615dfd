internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Parameters that are gathered and reduced together, at run time.
///
/// Three things are kept of a unit. The shards: what this rank has of each parameter, which is what the properties of the
/// modules hold and optimizers update. The gathered unit: one vector that all ranks' shards are brought together in, whose
/// memory comes and goes while tensors refer to it. And a leaf for each parameter that views its part of that vector, which
/// is what modules read; a graph that was recorded with it stays valid however often the memory goes.
final class ShardedUnit {
  /// Whether the gathered unit is there.
  enum State {
    /// It has no memory, or numbers from before an update.
    case absent
    /// The shard is being loaded.
    case loading(TransferBuffer)
    case gathering(PendingGather)
    case present
  }

  /// A gather under way.
  struct PendingGather {
    /// What the ranks gather; nil where it is not compared.
    let announcement: GatherOrder.Announcement?
    let works: [Work]
    /// The shards of the other ranks, where they have to be taken apart.
    let parts: [Tensor?]
    /// Memory that is sent from.
    var buffer: TransferBuffer?
  }

  /// The place among the units.
  let number: Int
  let name: String
  let module: Module?
  let parameters: [ShardedParameter]
  let partition: UnitPartition
  /// Whether the memory of the gathered unit is given back between its uses.
  let isFreed: Bool
  let groups: ShardGroups
  let rank: Int
  let masterType: DType
  let computeType: DType
  let reduceType: DType

  /// The gathered unit: [fullCount].
  let full: Tensor
  /// What modules read of each parameter.
  private(set) var leaves: [Tensor] = []
  /// What the properties hold of each parameter.
  private(set) var shards: [Tensor] = []
  /// All shards as one vector; nil when they are views of the gathered unit, or stored.
  private(set) var shard: Tensor?
  /// Where the shards are between their uses; what the properties then hold has no numbers.
  let stored: StoredUnit?
  var state = State.present
  /// How often the shards had been changed when they were gathered.
  var gatheredVersion: Int64 = 0

  // Of the backward under way.
  /// The gradients of the whole unit: [fullCount].
  var gradients: Tensor?
  /// Which parameters' gradients have arrived in this backward.
  var hasArrived: [Bool]
  /// Which are in `gradients`.
  var isPacked: [Bool]
  var reduction: PendingReduction?
  /// The reduced gradients of this rank's elements.
  var reduced: Tensor?
  var isReady = false
  /// Whether gradients of this step are themselves differentiable: their graph may need the parameters at any time.
  var isPinned = false
  var hooks: [GradientHook?]

  /// - Parameters:
  ///   - unit: parameters that all hold their whole tensors.
  ///   - isEqual: whether all ranks have the same numbers already; otherwise those of rank 0 are taken.
  init(
    _ number: Int, _ unit: ShardingPlan.Unit, _ partition: UnitPartition, _ groups: ShardGroups,
    _ options: ShardingOptions,
    stored: StoredUnit?, initial: (ShardedParameter) throws -> Tensor
  ) throws {
    self.number = number
    name = unit.name
    module = unit.module
    parameters = unit.parameters
    self.partition = partition
    self.groups = groups
    self.stored = stored
    rank = groups.shard
    isFreed = unit.isFreed
    let own = unit.parameters[0].dtype
    let isReal = own.isFloatingPoint
    masterType = unit.masterType(options)
    computeType = isReal ? options.parameterType ?? own : own
    reduceType = options.reduceType ?? (own == .float64 ? .float64 : .float32)
    let place = unit.parameters[0].device
    hasArrived = Array(repeating: false, count: parameters.count)
    isPacked = hasArrived
    hooks = Array(repeating: nil, count: parameters.count)

    // The numbers of rank 0, in the type of the optimizer.
    let whole = Tensor.empty([partition.fullCount], dtype: masterType, device: place)
    for (index, parameter) in unit.parameters.enumerated() {
      let part = whole.narrowed(dim: 0, start: partition.offsets[index], length: parameter.count)
      if groups.rank == 0 { part.copy(from: try initial(parameter).reshaped([-1])) }
    }
    try groups.world?.broadcast(whole)
    let home = options.offloadsToHost ? Device.cpu : place
    if isFreed || masterType != computeType || home != place {
      let full = Tensor.empty([partition.fullCount], dtype: computeType, device: place)
      let shard = Tensor.empty([partition.shardCounts[rank]], dtype: masterType, device: home)
      for (index, piece) in partition.pieces[rank].enumerated() where !piece.range.isEmpty {
        let start = partition.offsets[index] + piece.range.lowerBound
        shard.narrowed(dim: 0, start: piece.offset, length: piece.range.count)
          .copy(from: whole.narrowed(dim: 0, start: start, length: piece.range.count))
      }
      if !isFreed { full.copy(from: whole) }
      self.full = full
      self.shard = stored == nil ? shard : nil
      try stored?.save(shard)
    } else {
      full = whole
    }
    makeTensors()
    // Views can only be made of a tensor whose storage is large enough; pages that nobody wrote take no memory.
    free()
  }

  /// Makes leaves and shards, and lets the properties hold the shards.
  private func makeTensors() {
    for (index, parameter) in parameters.enumerated() {
      let isTrained = parameter.isTrained
      let leaf = full.narrowed(dim: 0, start: partition.offsets[index], length: parameter.count)
        .view(parameter.shape).variableData()
      leaf.requiresGradient = isTrained
      leaves.append(leaf)
      let piece = partition.pieces[rank][index]
      let held: Tensor
      if stored != nil {
        held = Tensor.empty([piece.range.count], dtype: masterType, device: .meta)
      } else {
        let start = shard == nil ? partition.offsets[index] + piece.range.lowerBound : piece.offset
        held = (shard ?? full).narrowed(dim: 0, start: start, length: piece.range.count).variableData()
      }
      held.requiresGradient = isTrained
      shards.append(held)
      for holder in parameter.holders { holder.wholeShape = parameter.shape }
      parameter.hold(held)
      if let stored { for holder in parameter.holders { holder.offloadedGradient = stored.parameters[index] } }
    }
    gatheredVersion = version
  }

  /// Gives back all memory, also what optimizers still refer to: the properties are about to hold whole parameters again.
  func end() {
    state = .absent
    for tensor in leaves + shards { tensor.gradient = nil }
    shard?.resizeStorage(to: 0)
    shard = nil
    shards = shards.map { Tensor.empty([0], dtype: $0.dtype) }
    full.resizeStorage(to: 0)
  }

  /// How often the shards have been changed, by whomever.
  var version: Int64 { shards.reduce(0) { $0 + $1.version } }

  /// Whether the gathered unit is there with the present numbers.
  var isPresent: Bool { if case .present = state { true } else { false } }

  var isAbsent: Bool { if case .absent = state { true } else { false } }

  /// Whether this rank's elements go on to be in parts when a run fails.
  var isInParts: Bool { shard != nil || stored != nil }

  /// The bytes of the gathered unit.
  var fullByteCount: Int { partition.fullCount * computeType.byteCount }

  /// The parameters that a backward computes gradients of.
  var trained: [Int] { parameters.indices.filter { shards[$0].requiresGradient } }

  /// Whether there is a parameter that a backward computes a gradient of.
  var isTrained: Bool { shards.contains(where: \.requiresGradient) }
}
