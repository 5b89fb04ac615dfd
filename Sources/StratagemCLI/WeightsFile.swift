internal import Stratagem
internal import Torch
internal import TorchNN

/// Weights with PyTorch's names, from a checkpoint (a file or a folder), a saved `state_dict` or a safetensors file.
enum WeightsFile {
  /// Copies the weights in a file into a module.
  ///
  /// - Throws: `FileError` for a file that cannot be read, `CheckpointError` with all keys that do not fit.
  static func load(_ path: String, into module: Module) throws {
    let state = try stateDictionary(of: path)
    do {
      _ = try withErrorScope { try module.load(state) }
    } catch let error as StateDictionaryError {
      throw CheckpointError(path: path, reason: "it is of another model than \(type(of: module)).\n\(error)")
    }
  }

  private static func stateDictionary(of path: String) throws -> StateDictionary {
    let location = try CheckpointLocation.find(path)
    if case .safetensors(let file) = location { return try Safetensors.load(file) }
    if location.isFolder {
      let checkpoint = try Checkpoint.open(path)
      return try (checkpoint.stateDictionary ?? [:]).mapValues { try checkpoint.load($0) }
    }
    guard case .dictionary(let contents) = try TorchFile.load(path) else {
      throw CheckpointError(path: path, reason: "the file holds no dictionary, so there are no weights in it")
    }
    let weights = contents["state_dict"]?.dictionaryValue ?? contents
    guard let state = weights.stateDictionary else {
      throw CheckpointError(
        path: path, reason: "there is no 'state_dict' in it, and it is none itself, so there are no weights in it")
    }
    return state
  }
}
