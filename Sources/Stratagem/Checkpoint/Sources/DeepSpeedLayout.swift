internal import Torch

/// Which elements of which parameter are where in the files of ZeRO.
struct DeepSpeedLayout {
  struct Parameter {
    let name: String
    let shape: [Int]
    /// The group of parameters, and where in it the parameter begins: in elements, in stage 3 in those of one rank.
    let group: Int
    let offset: Int
    /// Elements that each rank holds in stage 3.
    let share: Int
    var count: Int { shape.reduce(1, *) }
  }

  /// The tensors of a rank that hold its part of a group, end to end.
  typealias RankParts = [(archive: TorchArchive, tensor: Tensor)]

  let stage: Int
  let parameters: [Parameter]
  /// The 32-bit weights, by group (one for all in stage 3) and rank.
  let weights: [[RankParts]]
  /// The state of the optimizer on each rank.
  let optimizerStates: [ArchiveValue]
  let frozen: [String: [Int]]
  /// Names of tied parameters, and that under which each of them is saved.
  let alias: [String: String]
  private let archives: [TorchArchive]
  private let path: String

  init(_ model: ArchiveDictionary, states: [TorchArchive], path: String) throws {
    self.path = path
    archives = states
    let own = states.map { $0.value["optimizer_state_dict"] ?? $0.value }
    stage = try states.first.map { try Self.stage(own[0], path: $0.path) } ?? 0
    optimizerStates = own.compactMap { ($0["base_optimizer_state"] ?? $0["optimizer_state_dict"]).map(Self.byGroup) }
    if let partitions = own.first?["partition_count"] {
      let expected = (partitions.listValue?.first ?? partitions).intValue ?? states.count
      guard expected == states.count else {
        throw CheckpointError(
          path: path,
          reason: "it was written by \(expected) ranks, but there are '*_optim_states.pt' of \(states.count)")
      }
    }
    var parameters: [Parameter] = []
    let isCutEach = stage == 3
    let world = max(1, states.count)
    var offset = 0
    for (group, shapes) in (stage == 0 ? [] : model["param_shapes"]?.listValue ?? []).enumerated() {
      if !isCutEach { offset = 0 }
      let gaps = own.first?["param_alignment_paddings"]?.listValue ?? []
      let paddings = gaps.indices.contains(group) ? gaps[group].listValue ?? [] : []
      for (number, (key, value)) in (shapes.dictionaryValue ?? [:]).enumerated() {
        let shape = value.listValue?.compactMap(\.intValue) ?? []
        let count = shape.reduce(1, *)
        let share = (count + world - 1) / world
        parameters.append(
          Parameter(name: key.text, shape: shape, group: group, offset: offset, share: isCutEach ? share : 0))
        offset += isCutEach ? share : count
        if !isCutEach, paddings.indices.contains(number) { offset += paddings[number].intValue ?? 0 }
      }
    }
    self.parameters = parameters
    let key = isCutEach ? "fp32_flat_groups" : "single_partition_of_fp32_groups"
    var weights: [[RankParts]] = []
    for (rank, state) in own.enumerated() where stage > 0 {
      guard
        let groups = state[key]?.listValue?.map({
          $0.listValue?.compactMap(\.tensorValue) ?? [$0.tensorValue].compactMap { $0 }
        })
      else { throw CheckpointError(path: states[rank].path, reason: "there is no '\(key)' in it") }
      let tensors = isCutEach ? [groups.flatMap { $0 }] : groups
      for (group, tensors) in tensors.enumerated() {
        while weights.count <= group { weights.append([]) }
        weights[group].append(tensors.map { (states[rank], $0) })
      }
    }
    self.weights = weights
    frozen = (model["frozen_param_shapes"]?.dictionaryValue ?? [:]).reduce(into: [:]) {
      $0[$1.key.text] = $1.value.listValue?.compactMap(\.intValue) ?? []
    }
    var alias: [String: String] = [:]
    for (key, value) in model["shared_params"]?.dictionaryValue ?? [:] { alias[key.text] = value.stringValue }
    for pair in model["shared_params"]?.listValue ?? [] {
      if let names = pair.listValue?.compactMap(\.stringValue), names.count == 2 { alias[names[0]] = names[1] }
    }
    self.alias = alias
  }

  /// The stage of ZeRO: a number, or an instance of DeepSpeed's enumeration, which is made from one. Its optimizer for bfloat16
  /// lays weights out as stage 1 does and does not name a stage.
  private static func stage(_ state: ArchiveValue, path: String) throws -> Int {
    let value = state["zero_stage"]
    if value == nil, state["single_partition_of_fp32_groups"] != nil { return 1 }
    guard let stage = value?.intValue ?? value?["arguments"]?.listValue?.first?.intValue, (1...3).contains(stage) else {
      throw CheckpointError(
        path: path, reason: "its 'zero_stage' is \(value?.description ?? "missing"), not a stage from 1 to 3")
    }
    return stage
  }

  /// The state of an optimizer by group: with `elastic_checkpoint` it is a list, and says nothing of options.
  private static func byGroup(_ state: ArchiveValue) -> ArchiveValue {
    guard let groups = state.listValue else { return state }
    var states = ArchiveDictionary()
    for (number, group) in groups.enumerated() { states[number] = group }
    return ["state": .dictionary(states)]
  }

  /// Where the elements of a parameter are among the parts of all ranks.
  ///
  /// - Parameter groups: by group (one for all in stage 3) and rank.
  func segments(
    of parameter: Parameter, _ what: String, in groups: [[RankParts]]
  ) throws -> [AssembledTensors.Segment] {
    let group = stage == 3 ? 0 : parameter.group
    guard groups.indices.contains(group) else {
      throw CheckpointError(path: path, reason: "the files have no \(what) of '\(parameter.name)'")
    }
    if stage == 3 {
      return groups[group].enumerated().flatMap { rank, parts in
        let first = min(rank * parameter.share, parameter.count)
        let count = min(parameter.share, parameter.count - first)
        return Self.cut(parts, parameter.offset..<parameter.offset + count, start: first)
      }
    }
    return Self.cut(groups[group].flatMap { $0 }, parameter.offset..<parameter.offset + parameter.count, start: 0)
  }

  /// The elements `range` of parts that are laid end to end.
  ///
  /// - Parameter start: the number of the first of them in the whole tensor.
  private static func cut(_ parts: RankParts, _ range: Range<Int>, start: Int) -> [AssembledTensors.Segment] {
    var segments: [AssembledTensors.Segment] = []
    var position = 0
    for (archive, tensor) in parts {
      let wanted = range.clamped(to: position..<position + tensor.count)
      if !wanted.isEmpty {
        segments.append(
          .init(
            start: start + wanted.lowerBound - range.lowerBound, count: wanted.count,
            part: OpenArchivedTensor(archive: archive, tensor: tensor), offset: wanted.lowerBound - position))
      }
      position += tensor.count
    }
    return segments
  }

  /// Parts that make up a tensor of so many elements; there may be more, to fill up the last one.
  static func joined(_ parts: RankParts, count: Int) -> [AssembledTensors.Segment] { cut(parts, 0..<count, start: 0) }

  /// The entries that the optimizer keeps for a parameter, as those of rank 0 for the group it is in.
  func stateTemplate(of parameter: Parameter) -> ArchiveDictionary {
    let states = optimizerStates.first?["state"]?.dictionaryValue ?? [:]
    return states[stage == 3 ? 0 : parameter.group]?.dictionaryValue ?? [:]
  }

  /// A state of the optimizer that is cut as the weights are; nil for a number that counts for the whole group.
  func partitions(of name: String, _ parameter: Parameter) throws -> (dtype: DType, parts: [[RankParts]])? {
    var dtype = DType.float32
    var groups: [[RankParts]] = []
    for (rank, state) in optimizerStates.enumerated() {
      let entries = state["state"]?.dictionaryValue ?? [:]
      var tensors: [[Tensor]] = []
      for key in entries.keys.sorted(by: { $0.number < $1.number }) {
        guard let tensor = entries[key]?[name]?.tensorValue, tensor.ndim > 0, name != "step" else { return nil }
        dtype = tensor.dtype
        if stage == 3, !tensors.isEmpty { tensors[0].append(tensor) } else { tensors.append([tensor]) }
      }
      for (group, tensors) in tensors.enumerated() {
        while groups.count <= group { groups.append([]) }
        groups[group].append(tensors.map { (archives[rank], $0) })
      }
    }
    return groups.isEmpty ? nil : (dtype, groups)
  }
}

extension ArchiveDictionary.Key {
  fileprivate var number: Int { if case .int(let number) = self { number } else { 0 } }
}
