internal import Torch
internal import TorchDistributed
internal import TorchNN
internal import TorchOptim

/// How gradients come from backward to the other ranks and back.
extension DistributedOptimizer {
  // MARK: The plan

  /// Plans the buffers for the parameters that are trained now.
  ///
  /// - Parameter order: all positions, in the order in which backward makes the gradients.
  func arrange(_ order: [Int]) {
    for index in slots.indices {
      let tensor = slots[index].parameter.tensor
      if slots[index].tensor !== tensor { setHook(on: tensor, at: index) }
      slots[index].buffer = nil
    }
    let tensors = slots.map { $0.parameter.tensor }
    let trained = order.filter { tensors[$0].requiresGradient }
    let plan = FusionPlan(trained, tensors, threshold: options.fusionThreshold)
    let needsBuffers = group != nil
    buffers = plan.buffers.map { members in
      FusionBuffer(
        members, members.map { needsBuffers ? tensors[$0] : .empty([0], dtype: tensors[$0].dtype) },
        names: members.map { slots[$0].name }, wireType: options.compression.wireType(of: tensors[members[0]].dtype),
        ranks: processSet.size)
    }
    for (number, buffer) in buffers.enumerated() {
      for index in buffer.members { slots[index].buffer = number }
    }
    fingerprint = TensorSignature.fingerprint(
      of: plan.buffers.joined().map { TensorSignature(slots[$0].name, tensors[$0]) })
  }

  private func setHook(on tensor: Tensor, at index: Int) {
    slots[index].hook?.remove()
    slots[index].tensor = tensor
    slots[index].hook =
      tensor.requiresGradient
      ? tensor.onGradientAccumulated { [weak self] _ in self?.gradientArrived(index) } : nil
  }

  /// Plans anew when parameters were frozen, thawed or replaced since.
  private func arrangeIfChanged() {
    let isSame = slots.allSatisfy { slot in
      let tensor = slot.parameter.tensor
      return slot.tensor === tensor && (slot.buffer != nil) == tensor.requiresGradient
        && (slot.hook != nil || !tensor.requiresGradient)
    }
    if isSame { return }
    for index in slots.indices where slots[index].hook == nil { slots[index].tensor = nil }
    arrivals = []
    arrange(Array(slots.indices.reversed()))
  }

  // MARK: Backward

  /// The next backward pass is the last of the step. What this rank is about to do is said to the others already.
  func beginLastPass() throws {
    isSynchronized = false
    if isLastPass || slots.contains(where: \.isReady) { return }
    isLastPass = true
    if submitsInBackward { try announce() }
  }

  private func gradientArrived(_ index: Int) {
    isSynchronized = false
    guard submitsInBackward else { return }
    if !hasBegun { arrangeIfChanged() }
    hasBegun = true
    guard let buffer = slots[index].buffer else { return }
    if slots[index].isReady {
      failure = failure ?? HorovodError.tooManyBackwardPasses(name: slots[index].name, allowed: backwardPassesPerStep)
      return
    }
    slots[index].passes += 1
    guard isLastPass || slots[index].passes >= backwardPassesPerStep else { return }
    slots[index].isReady = true
    arrivals?.append(index)
    guard failure == nil, group != nil else { return }
    buffers[buffer].missing -= 1
    do { try launchComplete() } catch { failure = error }
  }

  /// Launches the buffers whose turn it is and whose gradients are there.
  private func launchComplete() throws {
    while nextBuffer < buffers.count, buffers[nextBuffer].missing == 0 { try launchNext() }
  }

  private func launchNext() throws {
    guard let group else { return }
    try agree()
    let buffer = buffers[nextBuffer]
    nextBuffer += 1
    try withoutGradients {
      try buffer.launch(
        buffer.members.map { slots[$0].parameter.gradient }, scale: 1 / options.gradientPredivideFactor, group)
    }
  }

  // MARK: Agreement

  private func announce() throws {
    guard !isAnnounced, group != nil else { return }
    if !hasBegun { arrangeIfChanged() }
    let names = buffers.flatMap(\.members).map { slots[$0].name }.abridged
    let kind: CollectiveRequest.Kind = options.operation == .adasum ? .deltas : .gradients
    var request = CollectiveRequest(kind, names, detail: fingerprint)
    request.shape = [buffers.count]
    try processSet.negotiator?.announce(request)
    isAnnounced = true
  }

  private func agree() throws {
    guard !isAgreed, let group else { return }
    try announce()
    do {
      try processSet.negotiator?.conclude()
    } catch HorovodError.differentCollectives(let lines) {
      // Where all reduce gradients it is the tensors that differ.
      guard lines.allSatisfy({ $0.contains(CollectiveRequest.Kind.gradients.label) }) else {
        throw HorovodError.differentCollectives(lines)
      }
      let own = buffers.flatMap(\.members).map { TensorSignature(slots[$0].name, slots[$0].parameter.tensor) }
      try TensorSignature.compare(own, "gradients", group, ranks: processSet.ranks)
      throw HorovodError.differentCollectives(lines)
    }
    isAgreed = true
  }

  // MARK: Synchronization

  func throwFailure() throws {
    guard let failure else { return }
    self.failure = nil
    throw failure
  }

  /// Reduces what is left, and waits for all. Does nothing when the gradients are reduced already.
  func reduceGradients() throws {
    try throwFailure()
    if isSynchronized { return }
    if let dropped = slots.first(where: { $0.isReady && $0.parameter.gradient == nil }) {
      throw HorovodError.misuse(
        "the gradient of '\(dropped.name)' was dropped between backward and the step, while it was being reduced: zero "
          + "gradients after the step, or before the backward pass")
    }
    if let group {
      try agree()
      while nextBuffer < buffers.count { try launchNext() }
      try withoutGradients { for buffer in buffers { try collect(buffer, group) } }
      try agreeOnOrder(group)
    }
    finishRound()
    isSynchronized = true
  }

  private func collect(_ buffer: FusionBuffer, _ group: ProcessGroup) throws {
    var scale = 1.0
    if options.operation == .average { scale = options.gradientPredivideFactor / Double(group.size) }
    let before = buffer.members.map { slots[$0].parameter.gradient }
    let after = try buffer.finish(before, scale: scale, group)
    for (position, index) in buffer.members.enumerated() where before[position] == nil {
      slots[index].parameter.gradient = after[position]
    }
  }

  /// Gives all ranks the order in which rank 0's backward made its gradients, once.
  private func agreeOnOrder(_ group: ProcessGroup) throws {
    guard submitsInBackward, let arrivals else { return }
    self.arrivals = nil
    let rest = slots.indices.reversed().filter { !arrivals.contains($0) }
    let order = Tensor(arrivals + rest)
    try group.activity.about("the order of gradients") { try group.broadcast(order) }
    arrange(try order.array(as: Int.self))
  }

  func finishRound() {
    for index in slots.indices {
      slots[index].passes = 0
      slots[index].isReady = false
    }
    for buffer in buffers { buffer.missing = buffer.members.count }
    nextBuffer = 0
    hasBegun = false
    isAnnounced = false
    isAgreed = false
    isLastPass = false
  }

  /// Takes part with zeros in a reduction that the other ranks have announced.
  func contributeZeros() throws {
    guard let group else { return }
    isAgreed = true
    try withoutGradients {
      for buffer in buffers {
        let nothing = [Tensor?](repeating: nil, count: buffer.members.count)
        if let adasum {
          try buffer.combine(nothing, adasum)
        } else {
          try buffer.launch(nothing, scale: 1, group)
        }
      }
      for buffer in buffers where adasum == nil {
        _ = try buffer.finish([Tensor?](repeating: nil, count: buffer.members.count), scale: 1, group)
      }
    }
    if adasum == nil { try agreeOnOrder(group) }
    finishRound()
  }

  // MARK: Adasum

  /// Runs a local step and puts the adaptive sum of the updates of all ranks in its place.
  func reduceUpdates<Result>(of step: () throws -> Result) throws -> Result {
    try throwFailure()
    guard let adasum, group != nil else { return try step() }
    try agree()
    let trained = buffers.flatMap(\.members)
    let before = withoutGradients { trained.map { slots[$0].parameter.tensor.detached().clone() } }
    let result = try step()
    try withoutGradients {
      var first = 0
      for buffer in buffers {
        let parameters = buffer.members.map { slots[$0].parameter.tensor.detached() }
        let start = Array(before[first..<(first + parameters.count)])
        first += parameters.count
        let deltas = zip(parameters, start).map { $0 - $1 }
        try buffer.combine(deltas, adasum)
        let sums = try buffer.copyOut(deltas, scale: 1)
        for (index, parameter) in parameters.enumerated() {
          parameter.copy(from: start[index])
          if let sum = sums[index] { parameter.add(sum) }
        }
      }
    }
    finishRound()
    return result
  }
}
