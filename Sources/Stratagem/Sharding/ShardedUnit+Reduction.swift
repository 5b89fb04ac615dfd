internal import Torch
internal import TorchDistributed

/// Gradients of the whole unit become those of this rank's elements.
extension ShardedUnit {
  /// A reduction under way.
  struct PendingReduction {
    let works: [Work]
    /// This rank's elements of its own gradients.
    let own: Tensor
    /// Those of the other ranks' gradients.
    let parts: [Tensor]
    /// What `own` is a view of, when all of it is kept.
    let isWhole: Bool
  }

  /// Takes the gradient of a leaf into the gradients of the unit, so that its memory is free again.
  func pack(_ index: Int) {
    guard let gradient = leaves[index].gradient else { return }
    withoutGradients {
      let flat = gradients ?? .empty([partition.fullCount], dtype: reduceType, device: full.device)
      gradients = flat
      let place = slot(index, of: flat)
      if isPacked[index] {
        place.add(gradient.reshaped([-1]))
      } else {
        place.copy(from: gradient.reshaped([-1]))
      }
    }
    isPacked[index] = true
    leaves[index].gradient = nil
  }

  /// Starts to sum the gradients over the ranks. Called on all ranks in the same order.
  ///
  /// - Parameters:
  ///   - divisor: what they are divided by before.
  ///   - keepsWhole: leave the sums of all elements on every rank.
  func startReduction(dividingBy divisor: Double, keepsWhole: Bool) throws {
    try withoutGradients {
      try stored?.startLoadingGradient()
      let flat = gradients ?? .empty([partition.fullCount], dtype: reduceType, device: full.device)
      gradients = nil
      for index in parameters.indices where !isPacked[index] { slot(index, of: flat).zero() }
      if divisor != 1 { flat.divide(by: Scalar(divisor)) }
      guard let group = groups.reducing else {
        reduction = PendingReduction(
          works: [], own: keepsWhole ? flat : ownPart(of: flat), parts: [], isWhole: keepsWhole)
        return
      }
      if keepsWhole {
        let work = try group.startAllReduce(flat)
        reduction = PendingReduction(works: [work], own: flat, parts: [], isWhole: true)
        return
      }
      let outgoing = (0..<group.size).map { $0 == rank ? nil : pieces(of: flat, for: $0) }
      let count = partition.shardCounts[rank]
      let incoming: [Tensor?] = (0..<group.size).map {
        $0 == rank || count == 0 ? nil : .empty([count], dtype: reduceType, device: full.device)
      }
      let works = try group.startExchange(sending: outgoing, receiving: incoming, as: .reduceScatter)
      reduction = PendingReduction(
        works: works, own: ownPart(of: flat), parts: incoming.compactMap { $0 }, isWhole: false)
    }
  }

  /// Waits for the reduction, and leaves the result in ``reduced``: a vector of this rank's elements, or of all.
  ///
  /// - Parameter divisor: what the sums are divided by.
  func finishReduction(dividingBy divisor: Double) throws {
    guard let pending = reduction else { return }
    reduction = nil
    for work in pending.works { try work.wait() }
    try withoutGradients {
      var sum = pending.own
      if !pending.isWhole {
        // Added up in the wider type, in memory of its own: the gradients of the other ranks' elements go.
        var parts = pending.parts[...]
        if masterType.byteCount > reduceType.byteCount {
          sum = sum.to(masterType)
        } else if let first = parts.popFirst() {
          sum = Aten.add(sum, other: first)
        } else if stored == nil {
          sum = sum.clone()
        }
        for part in parts { sum.add(part) }
      }
      try groups.replicas?.allReduce(sum)
      if divisor != 1 { sum.divide(by: Scalar(divisor)) }
      if sum.dtype != masterType { sum = sum.to(masterType) }
      let home = stored == nil ? (shard ?? full).device : .cpu
      let own = sum.device == home ? sum : sum.to(home)
      if let stored {
        try stored.addGradient(own) { shards[$0].requiresGradient }
      } else {
        reduced = own
      }
    }
  }

  /// Adds the reduced gradients to those of the held tensors.
  ///
  /// - Parameter isPresent: whether some rank had a gradient of a parameter.
  func assignGradients(_ isPresent: (Int) -> Bool) {
    if let stored {
      for (index, parameter) in stored.parameters.enumerated() { parameter.settle(isPresent: isPresent(index)) }
    }
    guard let sum = reduced else { return }
    reduced = nil
    let isWhole = sum.count == partition.fullCount && partition.rankCount > 1
    withoutGradients {
      for index in parameters.indices where shards[index].requiresGradient && isPresent(index) {
        let piece = partition.pieces[rank][index]
        guard !piece.range.isEmpty else { continue }
        let start = isWhole ? partition.offsets[index] + piece.range.lowerBound : piece.offset
        let part = sum.narrowed(dim: 0, start: start, length: piece.range.count)
        if let gradient = shards[index].gradient { gradient.add(part) } else { shards[index].gradient = part }
      }
    }
  }

  private func slot(_ index: Int, of flat: Tensor) -> Tensor {
    flat.narrowed(dim: 0, start: partition.offsets[index], length: partition.counts[index])
  }

  private func ownPart(of flat: Tensor) -> Tensor { pieces(of: flat, for: rank) }

  /// A rank's elements of a vector of the whole unit.
  private func pieces(of flat: Tensor, for rank: Int) -> Tensor {
    if let region = partition.regions?[rank] {
      return flat.narrowed(dim: 0, start: region.lowerBound, length: region.count)
    }
    let parts = partition.pieces[rank].enumerated().filter { !$1.range.isEmpty }.map { index, piece in
      flat.narrowed(dim: 0, start: partition.offsets[index] + piece.range.lowerBound, length: piece.range.count)
    }
    return parts.isEmpty ? flat.narrowed(dim: 0, start: 0, length: 0) : .cat(parts)
  }
}
