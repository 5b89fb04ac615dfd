public import OrderedCollections
public import Torch

extension Module {
  /// Returns parameters and persistent buffers by path: PyTorch's `state_dict()`.
  ///
  /// The tensors share memory with the module's, without their history. A tensor that is reached by several paths
  /// stands under each of them.
  public final func stateDictionary() -> StateDictionary {
    var state = StateDictionary()
    for (key, holder) in stateHolders() { state[key] = holder.tensor.detached() }
    return state
  }

  /// Copies the tensors of `state` into the parameters and buffers, in place, converting their type and device.
  ///
  /// Optimizers keep their references. Tensors without memory (``withDeferredInitialization(_:)``) get it. When an error
  /// is thrown nothing has been changed. Afterwards `didLoadState()` is called on every module.
  ///
  /// - Parameter strict: whether keys that are missing from `state`, or that only `state` has, are errors. Tensors of
  ///   another shape always are.
  /// - Returns: the missing and the unexpected keys, both empty when `strict`.
  /// - Throws: `StateDictionaryError` with all missing, unexpected and mismatched keys at once.
  @discardableResult
  public final func load(
    _ state: StateDictionary, strict: Bool = true
  ) throws(StateDictionaryError) -> (missing: [String], unexpected: [String]) {
    var missing: [String] = []
    var mismatched: [StateDictionaryError.Mismatch] = []
    var copies: [(source: Tensor, target: TensorHolder)] = []
    var known = Set<String>()
    var shapes: [String: [Int]] = [:]
    for (key, holder) in stateHolders() {
      known.insert(key)
      guard let source = state[key] else {
        missing.append(key)
        shapes[key] = holder.shape
        continue
      }
      let expected = holder.shape
      let found = source.shape
      if expected == found {
        copies.append((source, holder))
      } else if expected.isEmpty, found == [1] {
        copies.append((source.reshaped([]), holder))
      } else {
        mismatched.append(.init(key: key, expected: expected, found: found))
      }
    }
    let unexpected = Array(state.keys).filter { !known.contains($0) }
    let keysFail = strict && !(missing.isEmpty && unexpected.isEmpty)
    if keysFail || !mismatched.isEmpty {
      for key in unexpected { shapes[key] = state[key]?.shape }
      throw StateDictionaryError(
        moduleType: typeName, missing: strict ? missing : [], unexpected: strict ? unexpected : [],
        mismatched: mismatched, shapes: shapes)
    }
    giveMemory { state[$0] != nil }
    withoutGradients {
      for copy in copies {
        // Of a partitioned tensor the strategy takes its part.
        if copy.target.wholeShape != nil {
          copy.target.assign(copy.source)
        } else {
          copy.target.tensor.copy(from: copy.source)
        }
      }
    }
    apply { $0.didLoadState() }
    return (missing, unexpected)
  }

  /// The holders of the state dictionary, under every path.
  package final func stateHolders() -> [(key: String, holder: TensorHolder)] {
    var result: [(key: String, holder: TensorHolder)] = []
    for occurrence in occurrences() {
      for (name, parameter) in occurrence.entries.parameters where parameter.isPresent {
        result.append((StateKey.join(occurrence.name, name), parameter))
      }
      for (name, buffer) in occurrence.entries.buffers where buffer.isPersistent && buffer.isPresent {
        result.append((StateKey.join(occurrence.name, name), buffer))
      }
    }
    return result
  }
}
