internal import Torch

extension Precision {
  /// Adds ``state()`` under ``stateKey``, as Lightning does.
  final func addState(to checkpoint: inout Checkpoint) {
    let state = state()
    if !state.isEmpty { checkpoint[stateKey] = .dictionary(state) }
  }

  /// Restores the state when there is one.
  final func loadState(from checkpoint: Checkpoint) throws {
    if let state = checkpoint[stateKey]?.dictionaryValue { try load(state) }
  }
}
