internal import Torch
internal import TorchDistributed
internal import TorchNN
internal import TorchOptim

/// State: what all ranks have in common by DeepSpeed's names, and what belongs to each of them.
extension CompressedOptimizer: RankStateKeeping {
  /// What compression has lost; it is kept with the first parameter.
  private enum Errors {
    static let worker = RankState.name("worker_error")
    static let server = RankState.name("server_error")
  }

  var rankCount: Int { processGroup?.size ?? 1 }
  var rank: Int { processGroup?.rank ?? 0 }

  func isForOthers(_ name: String) -> Bool { namesForOthers.contains { RankState.name($0) == name } }

  func savedState(of position: Int, in group: ParameterGroup) -> ArchiveDictionary {
    guard let slot = slot(of: position, in: group) else { return [:] }
    var state: ArchiveDictionary = [
      "step": .int(stepCount), "exp_avg": .tensor(slots[slot].average),
      "exp_avg_sq": .tensor(slots[slot].squareAverage),
    ]
    for name in stateNames { state[name] = slots[slot].others[name].map { .tensor($0) } }
    for (name, number) in numbers(of: slot) { state[name] = .double(number) }
    guard !isAlone else { return state }
    for (name, values) in ownState(of: slot) {
      state[RankState.name(name)] = .tensor(values.detached().reshaped([1, -1]))
    }
    if slot == 0, let reducer {
      state[Errors.worker] = .tensor(reducer.workerError.reshaped([1, -1]))
      state[Errors.server] = .tensor(reducer.serverError.reshaped([1, -1]))
    }
    return state
  }

  func restoreState(_ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool) {
    if !dryRun { makeSlots() }
    guard let group = group as? Group else { return }
    let tensor = group.parameters[position].tensor
    if reader.entries.isEmpty {
      if !dryRun, let slot = slot(of: position, in: group) { forget(slot) }
      return
    }
    let count = reader.stepCount()
    let average = reader.tensor("exp_avg", like: tensor, isOptional: false, dryRun: dryRun)
    let squareAverage = reader.tensor("exp_avg_sq", like: tensor, isOptional: false, dryRun: dryRun)
    let others = stateNames.map { ($0, reader.tensor($0, like: tensor, isOptional: true, dryRun: dryRun)) }
    let own = ownEntries(&reader, of: tensor)
    guard !dryRun, let slot = slot(of: position, in: group), let average, let squareAverage else { return }
    stepCount = count
    slots[slot].average = average
    slots[slot].squareAverage = squareAverage
    for (name, saved) in others { if let saved { slots[slot].others[name] = saved } }
    setNumbers(reader.entries, of: slot)
    if slot == 0 { restoreErrors(reader.entries) }
    setOwnState(own, of: slot)
  }

  /// As before the first step.
  private func forget(_ slot: Int) {
    stepCount = 0
    slots[slot].average.zero()
    slots[slot].squareAverage.zero()
    for other in slots[slot].others.values { other.zero() }
    setNumbers([:], of: slot)
    setOwnState([:], of: slot)
    if slot == 0 { reducer = nil }
  }

  /// What belongs to each rank of the parameter's elements, by the names of ``ownState(of:)``.
  private func ownEntries(_ reader: inout StateReader, of parameter: Tensor) -> [String: RankState.Saved] {
    var own: [String: RankState.Saved] = [:]
    for (key, value) in reader.entries {
      guard let name = RankState.base(of: key.text), ![Errors.worker, Errors.server].contains(key.text) else {
        continue
      }
      guard case .tensor(let tensor) = value, tensor.shape.count == 2, tensor.shape[1] == parameter.count else {
        reader.report(
          "'\(key.text)' should be a tensor of shape [ranks, \(parameter.count)], found "
            + StateReader.describe(value))
        continue
      }
      own[name] = RankState.saved(tensor, rank: rank, of: rankCount)
    }
    return own
  }

  /// What a run of another size has lost cannot be divided among these ranks, and is lost.
  private func restoreErrors(_ entries: ArchiveDictionary) {
    reducer = nil
    guard let worker = entries[Errors.worker]?.tensorValue, let server = entries[Errors.server]?.tensorValue,
      case .own(let workerError) = RankState.saved(worker, rank: rank, of: rankCount),
      case .own(let serverError) = RankState.saved(server, rank: rank, of: rankCount)
    else { return }
    makeReducer()?.restoreErrors(worker: workerError, server: serverError)
  }

  private func slot(of position: Int, in group: ParameterGroup) -> Int? {
    guard !slots.isEmpty, let index = groups.firstIndex(where: { $0 === group }) else { return nil }
    return groups[..<index].reduce(position) { $0 + $1.parameters.count }
  }

  /// The state with what belongs to each rank, on rank 0; what belongs to none on the others. Called on all ranks.
  func gathered(_ state: ArchiveValue) throws -> ArchiveValue {
    try withoutGradients { try RankState.mapped(state) { try gather($0) } }
  }

  private func gather(_ row: Tensor) throws -> Tensor? {
    guard let processGroup, processGroup.size > 1 else { return nil }
    let isFirst = processGroup.rank == 0
    let all = Tensor.empty([isFirst ? rankCount : 0, row.count], dtype: row.dtype)
    var outgoing = [Tensor?](repeating: nil, count: rankCount)
    var incoming = outgoing
    if isFirst {
      for rank in 1..<rankCount { incoming[rank] = all.selected(dim: 0, index: rank) }
      all.selected(dim: 0, index: 0).copy(from: row.reshaped([-1]))
    } else {
      outgoing[0] = row.reshaped([-1]).to(.cpu).contiguous()
    }
    for work in try processGroup.startExchange(sending: outgoing, receiving: incoming, as: .allGather) {
      try work.wait()
    }
    return isFirst ? all : nil
  }
}
