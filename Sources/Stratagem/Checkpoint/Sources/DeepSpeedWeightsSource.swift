internal import Torch

/// The weights of a DeepSpeed folder whose parts of the model are in files of their own: a pipeline's layers, or experts.
///
/// The state of the optimizer is not read: it is numbered by stages or groups of experts, and no file says by which
/// parameters. DeepSpeed's `PipelineModule.save_state_dict` and `DeepSpeedEngine._save_moe_checkpoint` write these files.
final class DeepSpeedWeightsSource: TensorSource {
  enum Kind {
    /// `layer_{number}-model_states.pt`, with the names within the layer.
    case pipeline
    /// `layer_{number}_expert_{number}_mp_rank_00_model_states.pt`, with whole names, beside the rest of the model.
    case experts

    var word: String {
      switch self {
      case .pipeline: "a pipeline"
      case .experts: "a mixture of experts"
      }
    }
  }

  let path: String
  let format = "DeepSpeed"
  let kind: Kind
  private(set) var byteCount = 0
  private(set) var contents = ArchiveDictionary()
  private var archives: [TorchArchive] = []

  /// What the names in a folder tell; nil for a folder that ``DeepSpeedSource`` reads.
  static func kind(of names: [String]) -> Kind? {
    for name in names where name.hasPrefix("layer_") && name.hasSuffix("model_states.pt") {
      return name.contains("_expert_") ? .experts : .pipeline
    }
    return nil
  }

  init(_ folder: String, _ kind: Kind) throws {
    path = folder
    self.kind = kind
    let names = Folder.names(in: folder)
    let parts = try Self.parts(names, kind, folder)
    var weights = ArchiveDictionary()
    weights.isOrderedDict = true
    if let name = names.first(where: { $0.hasSuffix("mp_rank_00_model_states.pt") && !$0.hasPrefix("layer_") }) {
      let model = try open(name)
      contents["global_step"] = model["global_steps"]
      for (key, value) in model["module"]?.dictionaryValue ?? [:] { weights[key] = value }
    } else if kind == .experts {
      throw CheckpointError(path: folder, reason: "the file 'mp_rank_00_model_states.pt' is missing")
    }
    for part in parts {
      for (key, value) in try open(part.name).dictionaryValue ?? [:] where value.tensorValue != nil {
        let name = kind == .pipeline ? "\(part.layer).\(key.text)" : key.text
        guard weights[name] == nil else {
          throw CheckpointError(path: "\(folder)/\(part.name)", reason: "'\(name)' is in another file, too")
        }
        weights[name] = value
      }
    }
    contents["state_dict"] = .dictionary(weights)
  }

  private func open(_ name: String) throws -> ArchiveValue {
    let file = try InputFile("\(path)/\(name)")
    byteCount += file.byteCount
    let archive = try TorchArchive(file, classes: ["deepspeed", "torch.nn.parameter"])
    archives.append(archive)
    return archive.value
  }

  /// The files of layers or experts in their order.
  private static func parts(
    _ names: [String], _ kind: Kind, _ folder: String
  ) throws -> [(name: String, layer: Int, expert: Int)] {
    var parts: [(name: String, layer: Int, expert: Int)] = []
    for name in names where name.hasPrefix("layer_") && name.hasSuffix("model_states.pt") {
      let numbers = name.split { !$0.isNumber }.compactMap { Int($0) }
      // A pipeline whose layers are cut has the part behind the layer.
      guard kind == .pipeline ? numbers.count == 1 : numbers.count == 3 && numbers[2] == 0 else {
        throw CheckpointError(
          path: folder,
          reason: "it is of \(kind.word) that tensor parallelism cut into parts (\(name)); no file says how: merge "
            + "them in the program that trained it")
      }
      parts.append((name, numbers[0], kind == .pipeline ? 0 : numbers[1]))
    }
    parts.sort { ($0.layer, $0.expert) < ($1.layer, $1.expert) }
    // Layers, and the experts of one, are numbered without gaps.
    for (number, (first, second)) in zip(parts, parts.dropFirst()).enumerated() {
      let follows =
        kind == .pipeline
        ? second.layer == first.layer + 1
        : second.layer == first.layer ? second.expert == first.expert + 1 : second.expert == 0
      guard follows else {
        throw CheckpointError(
          path: folder, reason: "a file between \(first.name) and \(parts[number + 1].name) is missing")
      }
    }
    return parts
  }

  /// Why a run cannot go on from it.
  var lackOfState: String? {
    "it is of \(kind.word) of DeepSpeed, of which the weights are read, but not the state of the optimizer: no file says "
      + "which state is of which parameter"
  }

  func holds(_ placeholder: Tensor) -> Bool { archives.contains { $0.holds(placeholder) } }

  func read(_ requests: [TensorRequest]) throws {
    for request in requests {
      guard let archive = archives.first(where: { $0.holds(request.placeholder) }) else {
        throw CheckpointError(path: path, reason: "a tensor is wanted that is not in it")
      }
      try archive.read(request)
    }
  }

  func verify() throws { try verify(part: 0, of: 1) }

  func verify(part: Int, of count: Int) throws {
    for archive in archives { try archive.verify(part: part, of: count) }
  }
}
