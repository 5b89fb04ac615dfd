public import Torch

/// The state in a checkpoint: the errors of all ranks, the factors that they share, and the place in the random numbers.
extension PowerSGDHook {
  public func state(in group: ProcessGroup) throws -> ArchiveDictionary {
    let buckets = try memories.map { memory -> ArchiveValue in
      var entries: ArchiveDictionary = ["names": .list(memory.names.map { .string($0) })]
      entries["counts"] = .list(memory.counts.map { .int($0) })
      if let q = memory.q { entries["q"] = .tensor(q) }
      if let error = memory.error { entries["errors"] = .list(try group.allGather(error).map { .tensor($0) }) }
      return .dictionary(entries)
    }
    return ["step": .int(step), "draws": .int(draws), "buckets": .list(buckets)]
  }

  public func load(_ state: ArchiveDictionary, in group: ProcessGroup) throws {
    guard let step = state["step"]?.intValue, let draws = state["draws"]?.intValue,
      let buckets = state["buckets"]?.listValue
    else { throw unusable("it lacks 'step', 'draws' or 'buckets'") }
    reset()
    self.step = step
    while self.draws < draws { _ = drawSeed() }
    memories = try buckets.map { try memory($0.dictionaryValue ?? [:], in: group) }
  }

  private func memory(_ entries: ArchiveDictionary, in group: ProcessGroup) throws -> LowRankMemory {
    let names = entries["names"]?.listValue?.compactMap(\.stringValue) ?? []
    let counts = entries["counts"]?.listValue?.compactMap(\.intValue) ?? []
    guard !names.isEmpty, names.count == counts.count else { throw unusable("a bucket lacks its names") }
    let memory = LowRankMemory(names, counts: counts)
    if options.warmStart { memory.q = entries["q"]?.tensorValue?.clone() }
    let errors = entries["errors"]?.listValue?.compactMap(\.tensorValue) ?? []
    guard options.errorFeedback, let first = errors.first else { return memory }
    // The mean of the errors counts; on another number of ranks each takes it.
    memory.error =
      errors.count == group.size
      ? errors[group.rank].clone() : errors.dropFirst().reduce(first) { $0 + $1 } / Scalar(errors.count)
    return memory
  }

  private func unusable(_ problem: String) -> CommunicationHookError {
    CommunicationHookError(
      hook: name, problem: "cannot go on from the saved state: \(problem)",
      suggestion: "resume with the hook that the run was started with")
  }
}
