internal import Torch
internal import TorchDistributed
internal import TorchNN

/// Gradients are reduced to the rank that updates with them, unit by unit, while backward runs.
extension ShardingEngine {
  /// Call before gradients are computed, on all ranks.
  ///
  /// - Parameter synchronizing: whether they are reduced; otherwise they stay on this rank, and the next reduction is of the
  ///   sum.
  func willRunBackward(synchronizing: Bool) throws {
    try throwFailure()
    phase = .backward
    if !order.isEmpty { lastOrder = order }
    isSynchronizing = synchronizing || options.reducesEveryMicroBatch
    nextReduction = 0
    reducing = []
    arrivalOrder = []
    for unit in units {
      unit.isReady = false
      for index in unit.parameters.indices {
        unit.hasArrived[index] = false
        unit.isPacked[index] = false
      }
    }
    // Tensors of the whole model's unit do not pass through the outputs of a layer.
    for number in units.indices where units[number].module === module { try makePresent(number) }
  }

  /// The gradient of an output of a unit is there: the unit computes next, also when a step takes gradients by itself.
  func willRunBackward(of numbers: [Int]) {
    attempt {
      for number in numbers {
        try makePresent(number)
        if isGradientEnabled { units[number].isPinned = true }
      }
      guard phase == .backward, options.prefetchesBackward, let first = numbers.first,
        let place = lastOrder.lastIndex(of: first)
      else {
        return
      }
      try prefetch(lastOrder[..<place].reversed().lazy.filter { !numbers.contains($0) })
    }
  }

  /// The gradient of a leaf is there.
  func gradientArrived(_ number: Int, _ index: Int) {
    let unit = units[number]
    unit.hasArrived[index] = true
    guard phase == .backward else {
      hasLocalGradients = true
      return
    }
    // After the unit was reduced, the gradient waits for another round at the end.
    guard isSynchronizing, !unit.isReady else {
      hasLocalGradients = true
      if !isSynchronizing, isComplete(unit) { freeAfterBackward(unit) }
      return
    }
    unit.pack(index)
    if isComplete(unit) {
      unit.isReady = true
      arrivalOrder.append(number)
      attempt { try reduceReadyUnits() }
      freeAfterBackward(unit)
    }
  }

  private func isComplete(_ unit: ShardedUnit) -> Bool {
    unit.parameters.indices.allSatisfy { unit.hasArrived[$0] || !unit.leaves[$0].requiresGradient }
  }

  /// Frees a unit whose last gradient has arrived, unless a parameter without one may still be needed.
  private func freeAfterBackward(_ unit: ShardedUnit) {
    guard unit.module !== module, unit.leaves.allSatisfy(\.requiresGradient) else { return }
    if isSynchronizing || options.reshardAfterForward { unit.freeUnlessPinned() }
  }

  /// Starts the reductions that are next, which keeps them in the same order on all ranks.
  private func reduceReadyUnits() throws {
    while nextReduction < reductionOrder.count {
      let number = reductionOrder[nextReduction]
      guard units[number].isReady || !units[number].isTrained else { return }
      nextReduction += 1
      if units[number].isTrained { try startReduction(number) }
    }
  }

  private func startReduction(_ number: Int) throws {
    // One more gradient in memory is what a store is to save.
    let limit = parameterStore == nil ? options.maximumReductions : 1
    while reducing.count >= limit { try units[reducing.removeFirst()].finishReduction(dividingBy: divisors.after) }
    try units[number].startReduction(dividingBy: divisors.before, keepsWhole: options.stage == .optimizerState)
    if units[number].stored != nil, groups.reducing == nil {
      try units[number].finishReduction(dividingBy: divisors.after)
    } else {
      reducing.append(number)
    }
  }

  /// What sums are divided by before and after they cross the ranks. In float16 they would overflow when divided after, and
  /// vanish when divided before.
  private var divisors: (before: Double, after: Double) {
    let size = Double(groups.mesh.worldSize)
    guard options.reduceType == .float16 else { return (1, size) }
    var before = 1.0
    while size.truncatingRemainder(dividingBy: before * 2) == 0, size / before > before { before *= 2 }
    return (before, size / before)
  }

  /// Ends a backward pass, on all ranks: afterwards the held tensors have their gradients, the means over the ranks.
  ///
  /// - Throws: ``ConfigurationError`` naming the parameters without a gradient when there may be none.
  func finishBackward() throws {
    defer { phase = .idle }
    try throwFailure()
    try groups.order?.announceEnd()
    guard isSynchronizing else { return try freeUnits() }
    let waiting = reductionOrder[nextReduction...]
    let late = reductionOrder[..<nextReduction].filter { units[$0].leaves.contains(where: \.hasGradient) }
    for number in waiting {
      for index in units[number].parameters.indices { units[number].pack(index) }
      units[number].isReady = true
    }
    let agreement = try startAgreement(late: Set(late))
    try reduceReadyUnits()
    try finishReductions()
    let (isPresent, isLate) = try agreement()
    for number in units.indices { units[number].assignGradients { isPresent(number, $0) } }
    for number in units.indices where isLate(number) { try reduceAgain(number, isPresent) }
    try parameterStore?.flush()
    hasLocalGradients = false
    try freeUnits()
    try groups.order?.checkEnd()
    try agreeOnOrder()
  }

  private func finishReductions() throws {
    for number in reducing { try units[number].finishReduction(dividingBy: divisors.after) }
    reducing = []
  }

  /// Reduces gradients that came after the others of their unit, as those of a parameter that a recomputed and another part
  /// of the model share.
  private func reduceAgain(_ number: Int, _ isPresent: (Int, Int) -> Bool) throws {
    let unit = units[number]
    for index in unit.parameters.indices {
      unit.isPacked[index] = false
      unit.pack(index)
    }
    try startReduction(number)
    try finishReductions()
    unit.assignGradients { isPresent(number, $0) }
  }

  /// Between micro-batches, what does not go between forward and backward stays.
  private func freeUnits() throws {
    for unit in units {
      try unit.settle()
      if isSynchronizing || (options.reshardAfterForward && unit.module !== module) { unit.freeUnlessPinned() }
    }
  }

  /// What is so on some rank: that a parameter of a unit has a gradient, and that gradients of a unit came after the others.
  private typealias Agreement = (isPresent: (Int, Int) -> Bool, isLate: (Int) -> Bool)

  /// Starts to find out which parameters have a gradient on some rank, and which units are to be reduced once more; the
  /// answer waits for it.
  ///
  /// - Parameter late: those that are so for this rank. Where others found all gradients of a unit in time, as a rank does
  ///   that did not use a unit before it, they take part all the same.
  private func startAgreement(late: Set<Int>) throws -> () throws -> Agreement {
    var starts: [Int] = []
    var flags: [Float] = units.indices.map { late.contains($0) ? 1 : 0 }
    for unit in units {
      starts.append(flags.count)
      if options.findUnusedParameters { flags += unit.isPacked.map { $0 ? 1 : 0 } }
    }
    if !options.findUnusedParameters { try requireGradients() }
    func answer(_ flags: [Float]) -> Agreement {
      let isPresent = { (number: Int, index: Int) in flags[starts[number] + index] > 0 }
      return (options.findUnusedParameters ? isPresent : { _, _ in true }, { flags[$0] > 0 })
    }
    guard let world = groups.world else { return { answer(flags) } }
    let message = Tensor(flags)
    let work = try world.startAllReduce(message)
    return {
      try work.wait()
      return answer(try message.array(as: Float.self))
    }
  }

  private func requireGradients() throws {
    let missing = units.flatMap { unit in
      unit.trained.filter { !unit.isPacked[$0] }.map { unit.parameters[$0].name }
    }
    guard missing.isEmpty else {
      let count = units.reduce(0) { $0 + $1.trained.count }
      throw ConfigurationError(
        "findUnusedParameters",
        "rank \(groups.rank): no gradient arrived for \(missing.count) of \(count) parameters: "
          + missing.prefix(20).joined(separator: ", ") + (missing.count > 20 ? ", ..." : ""),
        suggestion: "let each of them take part in the loss, freeze it, or use findUnusedParameters: true")
    }
  }

  /// After the first backward: the gradients are reduced in the order in which rank 0 had them.
  private func agreeOnOrder() throws {
    guard !isReductionOrderAgreed else { return }
    isReductionOrderAgreed = true
    guard let world = groups.world, units.count > 1 else { return }
    let arrived = try world.broadcast(object: arrivalOrder)
    let known = Set(arrived)
    reductionOrder = arrived + units.indices.reversed().filter { !known.contains($0) }
  }

  /// The gradient of a property was dropped: so is what the micro-batches before have left.
  func dropLocalGradient(_ number: Int, _ index: Int) {
    units[number].stored?.parameters[index].dropGradient()
    guard hasLocalGradients else { return }
    units[number].leaves[index].gradient = nil
  }

  /// Call after an update of some parameters, on all ranks: what is gathered is brought up to date.
  func didUpdate(_ parameters: [AnyParameter]) throws {
    let changed = Set(parameters.compactMap { places[ObjectIdentifier($0)]?.unit }).sorted()
    for number in changed {
      let unit = units[number]
      try unit.settle()
      if unit.isFreed { unit.free() } else { unit.markStale() }
    }
    for number in changed where !units[number].isFreed { try units[number].startGather() }
  }

  /// Gathers anew what stays gathered, whoever has changed the shards. Called on all ranks.
  func refresh() throws {
    for unit in units {
      try unit.settle()
      if unit.isFreed { unit.free() } else { unit.markStale() }
    }
    for unit in units where !unit.isFreed { try unit.startGather() }
  }
}
