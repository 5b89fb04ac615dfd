internal import Torch

/// Writes a checkpoint of any known form in another one, a part of a tensor at a time.
package struct CheckpointConverter {
  package enum Format: String, CaseIterable, Sendable {
    /// A folder that every strategy loads a part of.
    case sharded
    /// A file of Lightning's layout, which `torch.load(weights_only=True)` opens.
    case ckpt
    /// The weights alone.
    case safetensors

    /// The format that a path asks for by its ending; a folder without one.
    package init(path: String) {
      if path.hasSuffix(".safetensors") {
        self = .safetensors
      } else {
        self = [".ckpt", ".pt", ".pth"].contains { path.hasSuffix($0) } ? .ckpt : .sharded
      }
    }
  }

  private let checkpoint: Checkpoint

  /// - Parameters:
  ///   - path: what to read.
  ///   - weightsOnly: leave out what is needed to go on training.
  package init(_ path: String, weightsOnly: Bool = false) throws {
    var checkpoint = try Checkpoint.open(path)
    if !weightsOnly, let lack = checkpoint.source?.lackOfState {
      throw CheckpointError(path: path, reason: "\(lack); give --weights-only to convert the weights")
    }
    if weightsOnly {
      for key in ["optimizer_states", "lr_schedulers", "callbacks", "stratagem"] { checkpoint[key] = nil }
    }
    self.checkpoint = checkpoint
  }

  /// Writes the checkpoint, after the checksums that reading it does not compare were compared.
  package func write(to path: String, as format: Format) throws {
    if let source = checkpoint.source { try source.verify(part: 0, of: 1) }
    try withErrorScope {
      switch format {
      case .ckpt: try FileCheckpointIO().save(checkpoint, to: path)
      case .sharded: try ShardedCheckpointWriter(ranks: SingleRank(), strategy: "convert").save(checkpoint, to: path)
      case .safetensors: try writeSafetensors(to: path)
      }
    }
  }

  private func writeSafetensors(to path: String) throws {
    var tensors: [String: Tensor] = [:]
    var entries: [SafetensorsWriter.Entry] = []
    for (key, value) in checkpoint["state_dict"]?.dictionaryValue ?? [:] {
      guard case .tensor(let tensor) = value else { continue }
      tensors[key.text] = tensor
      entries.append(.init(name: key.text, dtype: tensor.dtype, shape: tensor.shape))
    }
    guard !entries.isEmpty else {
      throw CheckpointError(path: path, reason: "cannot be written: there are no tensors of a module in the checkpoint")
    }
    try Folder.create(Folder.parent(of: path))
    let writer = try SafetensorsWriter(AtomicFile(path), entries, metadata: ["format": "pt"])
    for entry in writer.entries {
      guard let tensor = tensors[entry.name] else { continue }
      let piece =
        checkpoint.source.flatMap { $0.holds(tensor) ? TensorPiece(tensor, in: $0) : nil } ?? TensorPiece(whole: tensor)
      try piece.forEachPart(of: piece.range) { try writer.append($0) }
    }
    try writer.finish()
  }
}
