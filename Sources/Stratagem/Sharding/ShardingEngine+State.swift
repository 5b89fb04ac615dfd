internal import OrderedCollections
public import Torch
internal import TorchDistributed
internal import TorchNN

/// Whole parameters for those who need them.
extension ShardingEngine {
  /// Where this rank's elements of each parameter are.
  public var placements: [ParameterPlacement] {
    let isPrimary = groups.mesh.replica(of: groups.rank) == 0
    return units.flatMap { unit in
      zip(unit.parameters, unit.partition.pieces[unit.rank]).map { parameter, piece in
        ParameterPlacement(
          parameter: parameter.holder, name: parameter.name, shape: parameter.shape, range: piece.range,
          isPrimary: isPrimary)
      }
    }
  }

  /// The state of the module with whole parameters, on rank 0; empty on the others. Called on all ranks.
  public func moduleState() throws -> StateDictionary {
    guard groups.mesh.replica(of: groups.rank) == 0 else { return [:] }
    var wholes: [[Tensor]] = []
    for unit in units {
      let gathered = try Tensor.outsideModes { try unit.gatherWhole(onFirstOnly: true) }
      wholes.append(gathered?.map { $0.clone() } ?? [])
    }
    guard groups.rank == 0 else { return [:] }
    var state = module.stateDictionary()
    for (name, holder) in module.namedParameters(removingDuplicates: false) {
      if let place = places[ObjectIdentifier(holder)] { state[name] = wholes[place.unit][place.index] }
    }
    return state
  }

  /// Takes over whole parameters and buffers, each rank its elements.
  ///
  /// - Throws: `StateDictionaryError` with all missing, unexpected and mismatched keys; then nothing has changed.
  public func load(_ state: StateDictionary, strict: Bool = true) throws {
    try module.load(state, strict: strict)
    try refresh()
  }

  /// Runs `body` with all parameters gathered, for code that is no step: reading weights, or a forward on some ranks only.
  /// Called on all ranks.
  public func withWholeParameters<Result>(_ body: () throws -> Result) throws -> Result {
    for number in units.indices { try makePresent(number) }
    let before = phase
    phase = .backward
    defer {
      phase = before
      for unit in units { unit.free() }
    }
    return try body()
  }
}
