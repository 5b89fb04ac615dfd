public import Torch
import TorchNN

extension Optimizer {
  /// Everything needed to continue, in the layout of PyTorch's `Optimizer.state_dict()`.
  ///
  /// `{"state": {0: {...}, ...}, "param_groups": [{"lr": ..., "params": [0, ...]}, ...]}`. The tensors are the live
  /// ones, not copies: write them to a file before the next ``step()``, or clone them.
  public final func stateDictionary() -> ArchiveValue {
    var states = ArchiveDictionary()
    var groups: [ArchiveValue] = []
    var offset = 0
    for group in parameterGroups {
      for position in group.parameters.indices {
        let state = state(of: position, in: group)
        if !state.isEmpty { states[offset + position] = .dictionary(state) }
      }
      var entries = group.options()
      for (key, value) in group.annotations {
        if case .string(let name) = key { entries[name] = value }
      }
      entries["params"] = .list((offset..<offset + group.parameters.count).map { .int($0) })
      groups.append(.dictionary(entries))
      offset += group.parameters.count
    }
    return .dictionary(["state": .dictionary(states), "param_groups": .list(groups)])
  }

  /// Restores what ``stateDictionary()`` or PyTorch's `state_dict()` returned.
  ///
  /// Options are taken over, and tensors are copied, cast to their parameter's dtype and device. Parameters are
  /// matched by position, as in PyTorch.
  ///
  /// - Throws: `OptimizerStateError` naming every mismatch (number of groups and parameters, shapes, missing
  ///   entries); then nothing has changed.
  public final func load(_ state: ArchiveValue) throws(OptimizerStateError) {
    try load(state, adoptingTensors: false)
  }

  /// Restores a state.
  ///
  /// - Parameter adoptingTensors: take over tensors of the parameter's type and device as they are: nobody else may use
  ///   them afterwards.
  package final func load(_ state: ArchiveValue, adoptingTensors: Bool) throws(OptimizerStateError) {
    var problems: [String] = []
    let top = StateReader(state, context: "state dictionary")
    problems += top.problems
    guard let saved = savedGroups(in: top.entries, &problems), saved.count == parameterGroups.count else {
      throw OptimizerStateError(optimizer: "\(type(of: self))", problems: problems)
    }
    let states = top.entries["state"]?.dictionaryValue ?? ArchiveDictionary()
    if top.entries["state"]?.dictionaryValue == nil {
      problems.append("'state' should be a dictionary, found \(StateReader.describe(top.entries["state"]))")
    }

    let before = parameterGroups.map { group in (options: group.options(), annotations: group.annotations) }
    visit(saved, states, dryRun: true, adoptingTensors: adoptingTensors, &problems)
    guard problems.isEmpty else {
      for (group, options) in zip(parameterGroups, before) {
        var reader = StateReader(options.options)
        group.readOptions(&reader)
        group.annotations = options.annotations
      }
      throw OptimizerStateError(optimizer: "\(type(of: self))", problems: problems)
    }
    withoutGradients { visit(saved, states, dryRun: false, adoptingTensors: adoptingTensors, &problems) }
  }

  private func savedGroups(in entries: ArchiveDictionary, _ problems: inout [String]) -> [ArchiveDictionary]? {
    guard let list = entries["param_groups"]?.listValue else {
      problems.append("'param_groups' should be a list, found \(StateReader.describe(entries["param_groups"]))")
      return nil
    }
    if list.count != parameterGroups.count {
      problems.append("it has \(list.count) parameter groups, the optimizer \(parameterGroups.count)")
    }
    return list.map { $0.dictionaryValue ?? ArchiveDictionary() }
  }

  private func visit(
    _ saved: [ArchiveDictionary], _ states: ArchiveDictionary, dryRun: Bool, adoptingTensors: Bool,
    _ problems: inout [String]
  ) {
    var offset = 0
    for (index, (group, entries)) in zip(parameterGroups, saved).enumerated() {
      var reader = StateReader(entries, context: "group \(index)")
      var numbers: [Int] = []
      reader.read("params", into: &numbers)
      if entries["params"] != nil, numbers.count != group.parameters.count {
        reader.report("it has \(numbers.count) parameters, the optimizer's has \(group.parameters.count)")
      }
      group.readOptions(&reader)
      problems += group.problems().map { "group \(index): \($0)" } + reader.problems
      group.annotations = annotations(in: entries, known: group.options())

      for (position, number) in zip(group.parameters.indices, numbers) {
        var reader = StateReader(
          states[number] ?? .dictionary(ArchiveDictionary()), context: group.label(position, offset: offset))
        reader.sharesTensors = adoptingTensors
        setState(&reader, of: position, in: group, dryRun: dryRun)
        problems += reader.problems
      }
      offset += group.parameters.count
    }
  }

  private func annotations(in entries: ArchiveDictionary, known: ArchiveDictionary) -> ArchiveDictionary {
    var annotations = ArchiveDictionary()
    for (key, value) in entries {
      guard case .string(let name) = key, !["params", "param_names"].contains(name), known[name] == nil else {
        continue
      }
      annotations[name] = value
    }
    return annotations
  }
}
