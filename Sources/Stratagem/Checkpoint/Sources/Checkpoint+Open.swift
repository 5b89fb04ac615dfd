package import Torch

extension Checkpoint {
  /// Opens a checkpoint of any known form; its tensors stay in the files until they are asked for.
  ///
  /// A file of tensors alone becomes a checkpoint with a `state_dict`.
  package static func open(_ path: String) throws -> Checkpoint {
    try open(CheckpointLocation.find(path), path)
  }

  static func open(_ location: CheckpointLocation, _ path: String) throws -> Checkpoint {
    switch location {
    case .torchFile(let file):
      let source = try TorchFileSource(file)
      guard case .dictionary(let contents) = source.value else {
        throw CheckpointError(path: path, reason: "the file holds no dictionary, so it is not a checkpoint")
      }
      let isPlain = contents["state_dict"] == nil && contents.stateDictionary != nil
      if isPlain { return Checkpoint(["state_dict": .dictionary(contents)], source: source) }
      return Checkpoint(try loadingRest(of: contents, from: source), source: source)
    case .safetensors(let file):
      let source = try SafetensorsSource(file)
      return Checkpoint(["state_dict": .dictionary(ArchiveDictionary(source.state))], source: source)
    case .safetensorsFolder(let folder):
      let source = try SafetensorsFolderSource(folder)
      return Checkpoint(["state_dict": .dictionary(ArchiveDictionary(source.state))], source: source)
    case .sharded(let version, let root):
      let source = try ShardedSource(version: version, path: root)
      return Checkpoint(source.contents, source: source)
    case .distributed(let folder):
      let source = try DistributedSource(folder)
      return Checkpoint(source.contents, source: source)
    case .deepSpeed(let folder):
      if let kind = DeepSpeedWeightsSource.kind(of: Folder.names(in: folder)) {
        let source = try DeepSpeedWeightsSource(folder, kind)
        return Checkpoint(try loadingRest(of: source.contents, from: source), source: source)
      }
      let source = try DeepSpeedSource(folder)
      return Checkpoint(try loadingRest(of: source.contents, from: source), source: source)
    }
  }

  /// Reads the tensors outside of module and optimizers, such as random states: they are small, and every rank needs them.
  private static func loadingRest(
    of contents: ArchiveDictionary, from source: any TensorSource
  ) throws -> ArchiveDictionary {
    func loaded(_ value: ArchiveValue) throws -> ArchiveValue {
      switch value {
      case .tensor(let tensor): return .tensor(source.holds(tensor) ? try source.load(tensor) : tensor)
      case .list(let values): return .list(try values.map(loaded))
      case .tuple(let values): return .tuple(try values.map(loaded))
      case .dictionary(var dictionary):
        for (key, value) in dictionary { dictionary[key] = try loaded(value) }
        return .dictionary(dictionary)
      case .none, .bool, .int, .double, .string: return value
      }
    }
    var contents = contents
    for (key, value) in contents where !["state_dict", "optimizer_states"].contains(key.text) {
      contents[key] = try loaded(value)
    }
    return contents
  }

  /// The values of a tensor of ``contents``.
  ///
  /// In a checkpoint that several ranks wrote, and in one that a strategy reads in parts, the tensors of module and
  /// optimizers are on the meta device: they have shape and type, and are read from the files when they are needed. Hooks
  /// may rename and remove them as they are; one that computes with them reads them first.
  public func load(_ tensor: Tensor) throws -> Tensor {
    guard tensor.device.kind == .meta, let source else { return tensor }
    guard source.holds(tensor) else {
      throw CheckpointError(
        path: source.path,
        reason: "a tensor of shape \(tensor.shape) was computed from one whose values are still in the file; load(_:) "
          + "it first")
    }
    return try source.load(tensor)
  }
}
