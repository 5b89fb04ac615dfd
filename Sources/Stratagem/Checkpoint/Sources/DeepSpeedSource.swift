internal import Torch

/// A folder of DeepSpeed's checkpoints, such as `x.ckpt/checkpoint` of Lightning's DeepSpeed strategy, of ZeRO stage 0 to 3.
///
/// Weights are the 32-bit ones that the optimizer keeps. Stage 1 and 2: those of a parameter group are laid end to end and
/// cut into a slice for each rank. Stage 3: each parameter is cut into parts of `ceil(count / ranks)` elements. DeepSpeed's
/// `utils/zero_to_fp32.py` describes the layout.
final class DeepSpeedSource: TensorSource {
  let path: String
  let format = "DeepSpeed"
  private(set) var contents = ArchiveDictionary()
  private(set) var byteCount = 0
  private let tensors: AssembledTensors
  private let models: [TorchArchive]
  private let states: [TorchArchive]

  /// Keys of a model's file that are DeepSpeed's own.
  private static let ownKeys: Set<String> = [
    "module", "buffer_names", "optimizer", "param_shapes", "frozen_param_shapes", "shared_params",
    "frozen_param_fragments", "lr_scheduler", "data_sampler", "random_ltd", "sparse_tensor_module_names",
    "skipped_steps", "global_steps", "global_samples", "dp_world_size", "mp_world_size", "ds_config", "ds_version",
    "loss_scaler", "universal_checkpoint_info", "checkpoint_parallel_dimensions",
  ]

  init(_ folder: String) throws {
    path = folder
    tensors = AssembledTensors(path: folder)
    let names = Folder.names(in: folder)
    if let parallel = names.first(where: { $0.contains("mp_rank_01") }) {
      throw CheckpointError(
        path: folder,
        reason:
          "it is of a model that tensor parallelism cut into parts (\(parallel)); no file says how: merge them in "
          + "the program that trained it")
    }
    models = try Self.archives(names, ending: "_model_states.pt", in: folder)
    states = try Self.archives(names, ending: "_optim_states.pt", in: folder)
    guard let model = models.first?.value.dictionaryValue else {
      throw CheckpointError(path: folder, reason: "it has no dictionary in its '*_model_states.pt'")
    }
    byteCount = try names.filter { $0.hasSuffix("_states.pt") }.reduce(0) {
      $0 + (try InputFile("\(folder)/\($1)").byteCount)
    }
    for (key, value) in model where !Self.ownKeys.contains(key.text) { contents[key] = value }
    if contents["global_step"] == nil, let steps = model["global_steps"] { contents["global_step"] = steps }
    let layout = try DeepSpeedLayout(model, states: states, path: folder)
    try addWeights(model, layout)
    try addOptimizer(model, layout)
  }

  /// The files of all ranks in their order.
  private static func archives(_ names: [String], ending: String, in folder: String) throws -> [TorchArchive] {
    func rank(_ name: String) -> Int {
      guard let range = name.firstRange(of: "zero_pp_rank_") else { return 0 }
      return Int(name[range.upperBound...].prefix { $0.isNumber }) ?? 0
    }
    let found = names.filter { $0.hasSuffix(ending) }.sorted { rank($0) < rank($1) }
    for (number, name) in found.enumerated() where rank(name) != number {
      throw CheckpointError(
        path: folder, reason: "the file '*\(ending)' of rank \(number) is missing (\(name) is of rank \(rank(name)))")
    }
    return try found.map {
      try TorchArchive(InputFile("\(folder)/\($0)"), classes: ["deepspeed", "torch.nn.parameter"])
    }
  }

  private func addWeights(_ model: ArchiveDictionary, _ layout: DeepSpeedLayout) throws {
    var found: [String: Tensor] = [:]
    var order: [String] = []
    for parameter in layout.parameters {
      found[parameter.name] = try tensors.add(
        parameter.name, shape: parameter.shape, dtype: .float32,
        try layout.segments(of: parameter, "weights", in: layout.weights))
      order.append(parameter.name)
    }
    let module = model["module"]?.dictionaryValue ?? [:]
    for (name, shape) in layout.frozen {
      var parts: [(archive: TorchArchive, tensor: Tensor)] = []
      for archive in layout.stage == 3 ? models : Array(models.prefix(1)) {
        guard let tensor = archive.value["frozen_param_fragments"]?[name]?.tensorValue else { continue }
        parts.append((archive, tensor))
      }
      found[name] = try tensors.add(
        name, shape: shape, dtype: parts.first?.tensor.dtype ?? .float32,
        DeepSpeedLayout.joined(parts, count: shape.reduce(1, *)))
      order.append(name)
    }
    // Buffers, and without ZeRO the parameters, too.
    let buffers = Set(model["buffer_names"]?.listValue?.compactMap(\.stringValue) ?? [])
    for (key, value) in module {
      guard let tensor = value.tensorValue, found[key.text] == nil,
        layout.parameters.isEmpty || buffers.contains(key.text) || layout.stage < 3 && layout.frozen[key.text] == nil
      else { continue }
      if layout.alias[key.text] != nil { continue }
      found[key.text] = tensor
      order.append(key.text)
    }
    for (alias, name) in layout.alias where found[alias] == nil {
      guard let tensor = found[name] else { continue }
      found[alias] = tensor
      order.append(alias)
    }
    // The order of the module where all its tensors are in its file.
    let modulesOrder = module.map(\.key.text)
    if Set(modulesOrder) == Set(order) { order = modulesOrder }
    var weights = ArchiveDictionary()
    weights.isOrderedDict = true
    for (name, clean) in zip(order, Self.withoutPrefix(order)) { weights[clean] = found[name].map { .tensor($0) } }
    contents["state_dict"] = .dictionary(weights)
  }

  /// Names without what Lightning's wrappers of the module put before them.
  private static func withoutPrefix(_ names: [String]) -> [String] {
    for prefix in ["_forward_module.", "module."] where !names.isEmpty && names.allSatisfy({ $0.hasPrefix(prefix) }) {
      return names.map { String($0.dropFirst(prefix.count)) }
    }
    return names
  }

  private func addOptimizer(_ model: ArchiveDictionary, _ layout: DeepSpeedLayout) throws {
    guard !layout.parameters.isEmpty else {
      // In 16 bits there is DeepSpeed's optimizer around the one that is meant.
      let state = model["optimizer"]?["optimizer_state_dict"] ?? model["optimizer"]
      if let state, state["param_groups"] != nil { contents["optimizer_states"] = .list([state]) }
      return
    }
    guard let base = layout.optimizerStates.first?.dictionaryValue else { return }
    let clean = Self.withoutPrefix(layout.parameters.map(\.name))
    var states = ArchiveDictionary()
    for (number, parameter) in layout.parameters.enumerated() {
      var entries = ArchiveDictionary()
      for (key, value) in layout.stateTemplate(of: parameter) {
        if let partitions = try layout.partitions(of: key.text, parameter) {
          entries[key] = .tensor(
            try tensors.add(
              "\(parameter.name).\(key.text)", shape: parameter.shape, dtype: partitions.dtype,
              try layout.segments(of: parameter, key.text, in: partitions.parts)))
        } else {
          entries[key] = value
        }
      }
      if !entries.isEmpty { states[number] = .dictionary(entries) }
    }
    let byGroup = Dictionary(grouping: layout.parameters.indices) { layout.parameters[$0].group }
    let groups = base["param_groups"]?.listValue ?? Array(repeating: .dictionary([:]), count: byGroup.count)
    let hasOwnGroups = groups.count == byGroup.count
    let saved = (hasOwnGroups ? groups : Array(groups.prefix(1))).enumerated().map { position, group -> ArchiveValue in
      let members = hasOwnGroups ? byGroup[position] ?? [] : Array(layout.parameters.indices)
      var entries = group.dictionaryValue ?? [:]
      entries["params"] = .list(members.map { .int($0) })
      entries["param_names"] = .list(members.map { .string(clean[$0]) })
      return .dictionary(entries)
    }
    contents["optimizer_states"] = .list([.dictionary(["state": .dictionary(states), "param_groups": .list(saved)])])
  }

  func holds(_ placeholder: Tensor) -> Bool {
    tensors.holds(placeholder) || (models + states).contains { $0.holds(placeholder) }
  }

  func read(_ requests: [TensorRequest]) throws {
    for request in requests {
      if let archive = (models + states).first(where: { $0.holds(request.placeholder) }) {
        try archive.read(request)
      } else {
        try tensors.read([request])
      }
    }
  }

  func verify() throws { for archive in models + states { try archive.verify() } }

  func verify(part: Int, of count: Int) throws {
    for archive in models + states { try archive.verify(part: part, of: count) }
  }
}
