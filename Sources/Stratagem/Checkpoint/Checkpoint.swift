public import Torch
internal import TorchNN

/// A saved state of training, in the layout of PyTorch Lightning's `.ckpt` files.
///
/// Keys: `epoch`, `global_step`, `pytorch-lightning_version`, `state_dict`, `loops`, `callbacks`, `optimizer_states`,
/// `lr_schedulers`, `hyper_parameters`, and `stratagem` for what Lightning has no place for (random state, position in
/// the metrics of the epoch). Anything else may be added.
public struct Checkpoint {
  public var contents: ArchiveDictionary
  /// Where tensors on the meta device are read from; nil when all are in memory.
  package let source: (any TensorSource)?
  /// What tensors on the meta device stand for in a checkpoint that all ranks write.
  var pieces: TensorPieces?

  public init(_ contents: ArchiveDictionary = [:]) { self.init(contents, source: nil) }

  init(_ contents: ArchiveDictionary, source: (any TensorSource)?) {
    self.contents = contents
    self.source = source
  }

  public subscript(key: String) -> ArchiveValue? {
    get { contents[key] }
    set { contents[key] = newValue }
  }

  /// The weights by PyTorch's names.
  public var stateDictionary: StateDictionary? {
    get { contents["state_dict"]?.dictionaryValue?.stateDictionary }
    set { contents["state_dict"] = newValue.map { .dictionary(ArchiveDictionary($0)) } }
  }

  public var epoch: Int? { contents["epoch"]?.intValue }
  public var globalStep: Int? { contents["global_step"]?.intValue }

  /// The version of Lightning whose layout is written.
  static let lightningVersion = "2.6.0"

  /// Gives a module the weights.
  func loadWeights(into module: AnyLightningModule, _ path: String) throws {
    guard let state = stateDictionary else {
      throw CheckpointError(path: path, reason: "there is no 'state_dict' in it, so it is not a training checkpoint")
    }
    do {
      _ = try withErrorScope { try module.load(state) }
    } catch let error as StateDictionaryError {
      throw CheckpointError(path: path, reason: "it is of another model than \(type(of: module)).\n\(error)")
    }
  }
}
