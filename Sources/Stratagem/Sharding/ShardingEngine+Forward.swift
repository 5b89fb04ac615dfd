internal import Torch
internal import TorchNN

/// Parameters are gathered before the forward of their module and freed after it.
extension ShardingEngine {
  /// Call before the forward of a training step, on all ranks.
  func willRunForward() throws {
    try throwFailure()
    // Whoever writes into parameters between steps, as weight averaging does, does so on all ranks.
    for unit in units where !unit.isAbsent && unit.version != unit.gatheredVersion {
      try unit.settle()
      unit.markStale()
      if !unit.isFreed { try unit.startGather() }
    }
    for unit in units where unit.isPinned { unit.free() }
    phase = .forward
    order = []
  }

  func willCall(_ numbers: [Int], _ input: CallTensors) {
    for number in numbers {
      attempt {
        try makePresent(number)
        if phase == .forward { try noteUse(number) }
      }
    }
    followInputs(numbers, input)
  }

  /// Frees what the forward needed, unless backward follows at once or could not be noticed.
  func didCall(_ numbers: [Int], _ output: CallTensors) {
    guard phase != .backward, numbers.contains(where: { units[$0].isFreed }) else { return }
    var isNoticed = true
    if isGradientEnabled {
      let outputs = output.find().filter(\.requiresGradient)
      for tensor in outputs {
        tensor.onGradient { [unowned self] _ in
          willRunBackward(of: numbers)
          return nil
        }
      }
      // Without a gradient nothing of it is needed again, unless tensors left by another way.
      isNoticed = !outputs.isEmpty || numbers.allSatisfy { !units[$0].isTrained }
    }
    guard isNoticed, options.reshardAfterForward || !isGradientEnabled else { return }
    for number in numbers where !(isGradientEnabled && number == lastOrder.last) { units[number].freeUnlessPinned() }
  }

  /// Remembers the order of the units, and gathers the next one while this one computes.
  private func noteUse(_ number: Int) throws {
    if order.last == number { return }
    order.append(number)
    guard options.prefetchesForward, evaluation == nil, let place = lastOrder.firstIndex(of: number) else { return }
    try prefetch(lastOrder[(place + 1)...])
  }

  /// Starts to gather the next of some units, as many as the limit allows.
  func prefetch(_ candidates: some Sequence<Int>) throws {
    for number in candidates.prefix(options.maximumPrefetches) where units[number].isAbsent {
      try units[number].startGather()
    }
  }

  /// A frozen unit may go when the gradients of its inputs are there.
  private func followInputs(_ numbers: [Int], _ input: CallTensors) {
    guard phase != .idle, isGradientEnabled else { return }
    let frozen = numbers.filter { units[$0].isFreed && !units[$0].isTrained }
    guard !frozen.isEmpty else { return }
    let inputs = input.find().filter(\.requiresGradient)
    let total = inputs.count
    var missing = total
    for tensor in inputs {
      tensor.onGradient { [unowned self] _ in
        missing -= 1
        if missing == 0 {
          missing = total
          if phase == .backward { for number in frozen { units[number].freeUnlessPinned() } }
        }
        return nil
      }
    }
  }

  /// Keeps an error for the next place where it can be thrown.
  func attempt(_ body: () throws -> Void) {
    guard failure == nil else { return }
    do { try body() } catch { failure = error }
  }

  func throwFailure() throws {
    guard let failure else { return }
    self.failure = nil
    throw failure
  }
}
