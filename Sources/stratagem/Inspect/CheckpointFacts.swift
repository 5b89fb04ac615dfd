internal import Stratagem
internal import Torch

/// An optimizer of a checkpoint.
struct OptimizerFacts {
  /// What its state looks like, such as `Adam or AdamW`; nil when it has none yet.
  let kind: String?
  /// The options of each parameter group, without the parameters.
  let groups: [ArchiveDictionary]
  /// The parameters of each group.
  let parameterCounts: [Int]
  let stateTensors: Int
  let stateBytes: Int

  init(_ state: ArchiveValue) {
    let groups = (state["param_groups"]?.listValue ?? []).compactMap(\.dictionaryValue)
    parameterCounts = groups.map { $0["params"]?.listValue?.count ?? 0 }
    self.groups = groups.map { group in
      var options = group
      options["params"] = nil
      return options
    }
    var tensors: [Tensor] = []
    var keys: Set<String> = []
    for (_, entry) in state["state"]?.dictionaryValue ?? [:] {
      for (key, value) in entry.dictionaryValue ?? [:] {
        keys.insert(key.text)
        if let tensor = value.tensorValue { tensors.append(tensor) }
      }
    }
    stateTensors = tensors.count
    stateBytes = tensors.reduce(0) { $0 + $1.byteCount }
    kind =
      if keys.contains("exp_avg") {
        // PyTorch says it since 2.7.
        groups.first?["decoupled_weight_decay"]?.boolValue.map { $0 ? "AdamW" : "Adam" } ?? "Adam or AdamW"
      } else if keys.contains("momentum_buffer") {
        "SGD with momentum"
      } else if keys.contains("square_avg") {
        "RMSprop"
      } else if keys.contains("sum") {
        "Adagrad"
      } else { nil }
  }
}

extension CheckpointContents {
  /// The facts about a run that a checkpoint of Lightning's layout tells; empty for a plain state dictionary.
  var facts: [(name: String, value: JSONScalar)] {
    guard isCheckpoint else { return [] }
    var facts: [(String, JSONScalar)] = []
    if let epoch = root["epoch"]?.intValue { facts.append(("epoch", .int(epoch))) }
    if let step = root["global_step"]?.intValue { facts.append(("global_step", .int(step))) }
    if let version = root["pytorch-lightning_version"]?.stringValue {
      facts.append(("lightning_version", .string(version)))
    }
    facts.append(("written_by", .string(root["stratagem"] == nil ? "Lightning or another program" : "Stratagem")))
    if let size = root["stratagem"]?["world_size"]?.intValue { facts.append(("world_size", .int(size))) }
    return facts
  }

  var optimizers: [OptimizerFacts] { (root["optimizer_states"]?.listValue ?? []).map { OptimizerFacts($0) } }

  var schedulers: [ArchiveValue] { root["lr_schedulers"]?.listValue ?? [] }

  var hyperParameters: ArchiveDictionary { root["hyper_parameters"]?.dictionaryValue ?? [:] }

  var callbacks: ArchiveDictionary { root["callbacks"]?.dictionaryValue ?? [:] }

  /// What else there is at the top.
  var otherKeys: [String] {
    let known: Set = [
      "epoch", "global_step", "pytorch-lightning_version", "state_dict", "optimizer_states", "lr_schedulers",
      "hyper_parameters", "hparams_name", "callbacks", "loops", "stratagem",
    ]
    return isCheckpoint ? root.keys.map(\.text).filter { !known.contains($0) }.sorted() : []
  }
}
