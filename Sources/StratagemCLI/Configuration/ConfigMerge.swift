internal import OrderedCollections
internal import Stratagem

/// Lays configurations over each other.
struct ConfigMerge {
  /// The settings so far; at first the program's defaults, which say what settings there are.
  private(set) var root: ConfigNode
  /// What does not fit, in the order of the layers.
  private(set) var problems: [ConfigurationError.Problem] = []

  /// The keys that lead to the root, for messages.
  private let path: [String]

  init(_ defaults: ConfigNode, path: [String] = []) {
    root = defaults
    self.path = path
  }

  /// Lays settings over those so far: maps are merged, all other values replaced.
  mutating func add(_ layer: ConfigNode) {
    var merged = root
    merge(layer, into: &merged, path: path)
    root = merged
  }

  mutating func report(_ problem: ConfigurationError.Problem) { problems.append(problem) }

  private mutating func merge(_ layer: ConfigNode, into base: inout ConfigNode, path: [String]) {
    guard let known = base.map else {
      base = layer
      return
    }
    guard let given = layer.map else {
      // A heading with nothing below it changes nothing.
      if layer.isNull { return }
      if layer.scalar != nil, known["name"] != nil {
        merge(ConfigNode(content: .map(["name": layer]), origin: layer.origin), into: &base, path: path)
      } else {
        problems.append(
          .init(
            path.joined(separator: "."),
            "\(layer.origin.prefix)\(path.joined(separator: ".")) is \(layer); accepted: settings of its own: "
              + known.keys.sorted().joined(separator: ", ")))
      }
      return
    }
    if base.keys == .choice, let name = given["name"], name != known["name"] {
      var kept = layer
      kept.keys = .choice
      base = kept
      return
    }
    // Taken out, so that the map is not copied for each key.
    base.content = .map([:])
    var merged = known
    for (key, value) in given {
      if merged[key] != nil {
        merge(value, into: &merged[key]!, path: path + [key])
      } else if [.any, .choice].contains(base.keys) {
        merged[key] = value
      } else {
        problems.append(unknown(key, value, path: path, siblings: Array(known.keys)))
      }
    }
    base.content = .map(merged)
    if base.keys == .choice { base.origin = layer.origin }
  }

  private func unknown(
    _ key: String, _ value: ConfigNode, path: [String], siblings: [String]
  ) -> ConfigurationError.Problem {
    let section = path.joined(separator: ".")
    let name = (path + [key]).joined(separator: ".")
    var hint = ""
    if let lightning = Self.lightningNames[key] {
      hint = "did you mean '\(lightning)'? "
    } else if let sibling = NearestName.suggestion(for: key, among: siblings) {
      hint = "did you mean '\((path + [sibling]).joined(separator: "."))'? "
    } else if let sibling = completion(of: key, among: siblings) {
      hint = "did you mean '\((path + [sibling]).joined(separator: "."))'? "
    } else if let elsewhere = placeElsewhere(of: key) {
      hint = "did you mean '\(elsewhere)'? "
    }
    let known = NearestName.ranked(key, among: siblings).joined(separator: ", ")
    let list =
      siblings.isEmpty
      ? "there are no settings in \(section)" : "known\(path.isEmpty ? "" : " in \(section)"): \(known)"
    return .init(name, "\(value.origin.prefix)no setting named '\(name)'", suggestion: hint + list)
  }

  /// The one name that begins with what was written.
  private func completion(of key: String, among names: [String]) -> String? {
    let matches = names.filter { $0.lowercased().hasPrefix(key.lowercased()) }
    return matches.count == 1 ? matches[0] : nil
  }

  /// The one place where a key of this name exists, in whatever section.
  private func placeElsewhere(of key: String) -> String? {
    var found: [String] = []
    for (section, node) in root.map ?? [:] {
      for name in node.map?.keys ?? [] where name.lowercased() == key.lowercased() {
        found.append("\(section).\(name)")
      }
    }
    return found.count == 1 ? found[0] : nil
  }

  /// What Lightning calls settings that have another name here.
  private static let lightningNames = [
    "max_epochs": "trainer.epochs", "max_steps": "trainer.maxSteps", "num_nodes": "trainer.numNodes",
    "accumulate_grad_batches": "trainer.accumulate", "gradient_clip_val": "trainer.clipNorm",
    "limit_train_batches": "trainer.limitTrainBatches", "limit_val_batches": "trainer.limitValidationBatches",
    "limit_test_batches": "trainer.limitTestBatches", "limit_predict_batches": "trainer.limitPredictBatches",
    "check_val_every_n_epoch": "trainer.validateEveryEpochs", "num_sanity_val_steps": "trainer.sanityBatches",
    "val_check_interval": "trainer.validationInterval", "log_every_n_steps": "trainer.logInterval",
    "overfit_batches": "trainer.overfitBatches", "fast_dev_run": "trainer.fastDevRun",
    "reload_dataloaders_every_n_epochs": "trainer.reloadLoadersEveryEpochs",
    "use_distributed_sampler": "trainer.useDistributedSampler", "sync_batchnorm": "trainer.syncBatchNorm",
    "detect_anomaly": "trainer.detectAnomaly", "inference_mode": "trainer.inferenceMode",
    "max_time": "trainer.maxTime", "min_epochs": "trainer.minEpochs", "min_steps": "trainer.minSteps",
    "default_root_dir": "trainer.output", "seed_everything": "seed", "ckpt_path": "resume",
    "enable_progress_bar": "trainer.progress", "learning_rate": "optimizer.lr", "batch_size": "data.batchSize",
  ]
}
