internal import Torch

extension Module {
  /// Whether a parameter or buffer has no memory yet.
  public final var hasDeferredTensors: Bool { tensorHolders().contains(where: \.isDeferred) }

  /// Gives the parameters and buffers that ``withDeferredInitialization(_:)`` left without memory their initial values.
  ///
  /// Parameters that share a tensor share it afterwards. Optimizers keep their references.
  ///
  /// - Throws: ``DeferredInitializationError`` naming each that was changed in place since.
  public final func materialize() throws(DeferredInitializationError) { try materialize { _ in true } }

  /// Gives the buffers that have no memory yet their initial values; parameters stay deferred.
  public final func materializeBuffers() throws(DeferredInitializationError) { try materialize { $0 is AnyBuffer } }

  private final func materialize(
    _ isWanted: (TensorHolder) -> Bool
  ) throws(DeferredInitializationError) {
    var problems: [DeferredInitializationError.Problem] = []
    for (names, holders) in deferredHolders() where isWanted(holders[0]) {
      do {
        let values = try holders[0].initialTensor()
        for holder in holders { holder.tensor = values }
      } catch {
        problems += error.problems.map { .init(parameter: names[0], shape: $0.shape, reason: $0.reason) }
      }
    }
    if !problems.isEmpty { throw DeferredInitializationError(problems: problems) }
  }

  /// The holders without memory by the tensor they share, with their names.
  private final func deferredHolders() -> [(names: [String], holders: [TensorHolder])] {
    var places: [OpaquePointer: Int] = [:]
    var result: [(names: [String], holders: [TensorHolder])] = []
    for occurrence in occurrences() {
      let held: [(String, TensorHolder)] =
        occurrence.entries.parameters.map { ($0.name, $0.parameter) }
        + occurrence.entries.buffers.map { ($0.name, $0.buffer) }
      for (name, holder) in held where holder.isDeferred {
        guard let tensor = holder.storage else { continue }
        let path = StateKey.join(occurrence.name, name)
        if let place = places[tensor.handle] {
          result[place].names.append(path)
          result[place].holders.append(holder)
        } else {
          places[tensor.handle] = result.count
          result.append(([path], [holder]))
        }
      }
    }
    return result
  }

  /// Gives memory without particular numbers to what has none and one of whose paths is chosen.
  final func giveMemory(_ isChosen: (String) -> Bool) {
    for (names, holders) in deferredHolders() where names.contains(where: isChosen) {
      guard let tensor = holders[0].storage else { continue }
      let memory = Tensor.empty(tensor.shape, dtype: tensor.dtype)
      for holder in holders { holder.tensor = memory }
    }
  }
}
