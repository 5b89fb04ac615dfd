internal import Torch
internal import TorchDistributed

/// The gathered unit comes and goes.
extension ShardedUnit {
  /// Starts to bring the shards of all ranks together. Called on all ranks that share a copy, in the same order.
  func startGather() throws {
    guard case .absent = state else { return }
    gatheredVersion = version
    try Tensor.outsideModes {
      if let stored {
        state = .loading(try stored.startLoading())
      } else {
        if isFreed { full.resizeStorage(to: fullByteCount) }
        state = .gathering(try startGather(of: shard, into: full, isCompared: true))
      }
    }
  }

  /// Waits for a gather that was started. Called on all ranks that share a copy, in the same order.
  func finishGather() throws {
    if case .loading(let buffer) = state, let stored {
      state = .absent
      try Tensor.outsideModes {
        try buffer.wait()
        full.resizeStorage(to: fullByteCount)
        state = .gathering(try startGather(of: stored.shard(in: buffer), into: full, from: buffer, isCompared: true))
      }
    }
    guard case .gathering(let pending) = state else { return }
    // What has failed is not waited for again.
    state = .absent
    try Tensor.outsideModes { try finish(pending, into: full) }
    state = .present
  }

  /// Waits for what is on its way; a shard that is only being loaded is dropped.
  func settle() throws {
    guard case .loading(let buffer) = state else { return try finishGather() }
    state = .absent
    try buffer.wait()
    stored?.giveBack(buffer)
  }

  /// Gives the memory of the gathered unit back, unless a graph may need it that no module's call belongs to.
  func freeUnlessPinned() { if !isPinned { free() } }

  /// Gives the memory of the gathered unit back.
  func free() {
    isPinned = false
    guard isFreed, case .present = state else { return }
    full.resizeStorage(to: 0)
    state = .absent
  }

  /// The shards were updated: what is gathered has old numbers.
  func markStale() {
    if case .present = state { state = isFreed ? state : .absent }
    free()
  }

  /// The whole parameters as the optimizers know them, on all ranks that share a copy or on the first of them only; the others
  /// have no answer. They share memory with each other. Called on all ranks that share a copy.
  func gatherWhole(onFirstOnly: Bool = false) throws -> [Tensor]? {
    try settle()
    let whole = Tensor.empty(
      [onFirstOnly && rank != 0 ? 0 : partition.fullCount], dtype: masterType, device: full.device)
    let buffer = try stored?.startLoading()
    try buffer?.wait()
    let own = buffer.flatMap { stored?.shard(in: $0) } ?? shard
    try finish(try startGather(of: own, into: whole, from: buffer, onFirstOnly: onFirstOnly), into: whole)
    guard rank == 0 || !onFirstOnly else { return nil }
    return parameters.indices.map {
      whole.narrowed(dim: 0, start: partition.offsets[$0], length: partition.counts[$0]).view(parameters[$0].shape)
    }
  }

  /// Takes the elements of this rank from a whole parameter.
  func load(_ index: Int, _ whole: Tensor) throws {
    let piece = partition.pieces[rank][index]
    guard !piece.range.isEmpty else { return }
    try withoutGradients {
      let own = whole.detached().reshaped([-1])
        .narrowed(dim: 0, start: piece.range.lowerBound, length: piece.range.count)
      if let stored {
        try stored.parameters[index].replace {
          own.narrowed(dim: 0, start: $0.lowerBound, length: $0.count).to(.cpu)
        }
      } else {
        shards[index].detached().copy(from: own)
      }
    }
  }

  /// - Parameters:
  ///   - shard: this rank's elements; nil when they are in the gathered unit.
  ///   - buffer: the memory that they are in, given back at the end.
  ///   - isCompared: whether the ranks find out when they gather different units.
  private func startGather(
    of shard: Tensor?, into whole: Tensor, from buffer: TransferBuffer? = nil, onFirstOnly: Bool = false,
    isCompared: Bool = false
  ) throws -> PendingGather {
    let isReceiver = rank == 0 || !onFirstOnly
    if isReceiver { place(shard, of: rank, in: whole) }
    guard let group = groups.gathering else {
      return PendingGather(announcement: nil, works: [], parts: [], buffer: buffer)
    }
    let announcement = isCompared ? try groups.order?.announce(number) : nil
    var parts: [Tensor?] = Array(repeating: nil, count: group.size)
    var incoming = parts
    if isReceiver {
      for other in 0..<group.size where other != rank {
        if let region = partition.regions?[other] {
          incoming[other] = whole.narrowed(dim: 0, start: region.lowerBound, length: region.count)
        } else {
          parts[other] = .empty([partition.shardCounts[other]], dtype: whole.dtype, device: whole.device)
          incoming[other] = parts[other]
        }
      }
    }
    let own = ownShard(shard, from: isReceiver ? whole : nil, whole.dtype)
    let outgoing = (0..<group.size).map { onFirstOnly && $0 != 0 ? nil : own }
    let works = try group.startExchange(
      sending: outgoing, receiving: incoming, as: .allGather, subject: number + 1)
    return PendingGather(announcement: announcement, works: works, parts: parts, buffer: buffer)
  }

  private func finish(_ pending: PendingGather, into whole: Tensor) throws {
    if let announcement = pending.announcement { try groups.order?.check(announcement) }
    for work in pending.works { try work.wait() }
    if let buffer = pending.buffer { stored?.giveBack(buffer) }
    for (other, part) in pending.parts.enumerated() { if let part { place(part, of: other, in: whole) } }
  }

  /// This rank's shard as one vector of a type; a part of `whole` when it is one there.
  private func ownShard(_ shard: Tensor?, from whole: Tensor?, _ type: DType) -> Tensor {
    if let whole, let region = partition.regions?[rank] {
      return whole.narrowed(dim: 0, start: region.lowerBound, length: region.count)
    }
    if let shard { return shard.to(type) }
    if let region = partition.regions?[rank] {
      return full.narrowed(dim: 0, start: region.lowerBound, length: region.count).to(type)
    }
    let parts = shards.filter { $0.count > 0 }.map { $0.detached() }
    return parts.isEmpty ? full.narrowed(dim: 0, start: 0, length: 0) : Tensor.cat(parts).to(type)
  }

  /// Copies a rank's shard, nil for the one in the gathered unit, to where it belongs in a whole unit.
  private func place(_ shard: Tensor?, of rank: Int, in whole: Tensor) {
    guard let shard else {
      if whole !== full { placeOwn(in: whole) }
      return
    }
    if let region = partition.regions?[rank] {
      if !region.isEmpty { whole.narrowed(dim: 0, start: region.lowerBound, length: region.count).copy(from: shard) }
      return
    }
    for (index, piece) in partition.pieces[rank].enumerated() where !piece.range.isEmpty {
      whole.narrowed(dim: 0, start: partition.offsets[index] + piece.range.lowerBound, length: piece.range.count)
        .copy(from: shard.narrowed(dim: 0, start: piece.offset, length: piece.range.count))
    }
  }

  private func placeOwn(in whole: Tensor) {
    for (index, piece) in partition.pieces[rank].enumerated() where !piece.range.isEmpty {
      whole.narrowed(dim: 0, start: partition.offsets[index] + piece.range.lowerBound, length: piece.range.count)
        .copy(from: shards[index].detached())
    }
  }
}
