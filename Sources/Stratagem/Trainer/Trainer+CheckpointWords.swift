/// `best`, `last` and `hpc` in the place of a checkpoint's path.
extension Trainer {
  /// The file that a path or a word stands for; nil when the run is to begin without a checkpoint.
  func checkpointPath(_ word: String?, _ stage: Stage) throws -> String? {
    switch word {
    case "best": try bestCheckpoint(stage)
    case "last": lastCheckpoint(stage)
    case "hpc": try hpcCheckpoint(stage)
    case nil where stage == .fit && callbacks.contains { $0 is SLURMRequeue } && SLURMRequeue.isInJob:
      newestHPCNumber.map(hpcPath)
    default: word
    }
  }

  private var modelCheckpoints: [ModelCheckpoint] { callbacks.compactMap { $0 as? ModelCheckpoint } }

  private func bestCheckpoint(_ stage: Stage) throws -> String {
    func error(_ message: String, _ suggestion: String) -> ConfigurationError {
      ConfigurationError(
        "checkpoint", "\(stage.rawValue) is to start from the best checkpoint, but \(message)", suggestion: suggestion)
    }
    if settings.fastDevRun > 0 { throw error("a dry run writes none", "name a file, or leave fastDevRun out") }
    guard let callback = modelCheckpoints.first(where: { $0.monitor != nil }) ?? modelCheckpoints.first else {
      throw error("the trainer has no ModelCheckpoint", "add one that monitors a metric, or name a file")
    }
    guard let path = callback.bestPath else {
      throw error(
        callback.monitor == nil
          ? "its ModelCheckpoint monitors no metric" : "its ModelCheckpoint has saved none yet",
        callback.monitor == nil
          ? "give ModelCheckpoint the metric to judge by (monitor:), or name a file" : "fit first, or name a file")
    }
    if modelCheckpoints.count > 1 {
      announce("note: there are \(modelCheckpoints.count) ModelCheckpoints; best is that of \(callback.stateKey)")
    }
    return path
  }

  /// The newest `last.ckpt`, or `last-v1.ckpt` and so on, of all folders that the callbacks write to.
  private func lastCheckpoint(_ stage: Stage) -> String? {
    var newest: (path: String, time: Double)?
    for callback in modelCheckpoints {
      let folder = callback.directory ?? defaultCheckpointDirectory
      for name in Folder.names(in: folder) where Self.isLast(name) {
        let path = folder + "/" + name
        guard Self.isComplete(path), let time = Folder.modificationTime(path), time > newest?.time ?? -1 else {
          continue
        }
        newest = (path, time)
      }
    }
    if newest == nil {
      announce(
        "note: \(stage.rawValue) is to start from the last checkpoint, but there is none; it starts without, as in a first run"
      )
    }
    return newest?.path
  }

  /// Whether a checkpoint is not the rest of a save that was interrupted.
  private static func isComplete(_ path: String) -> Bool {
    !ShardedFolder.isFolder(path) || ShardedFolder(path).latest != nil
  }

  private static func isLast(_ name: String) -> Bool {
    guard name.hasPrefix("last"), name.hasSuffix(".ckpt") else { return false }
    let version = name.dropFirst(4).dropLast(5)
    return version.isEmpty || version.hasPrefix("-v") && Int(version.dropFirst(2)) != nil
  }

  var defaultCheckpointDirectory: String { outputDirectory + "/checkpoints" }

  /// The checkpoint of the job that was requeued last.
  private func hpcCheckpoint(_ stage: Stage) throws -> String {
    guard let number = newestHPCNumber else {
      throw ConfigurationError(
        "checkpoint",
        "\(stage.rawValue) is to start from the checkpoint of a requeued job, but there is no hpc_ckpt_<n>.ckpt in "
          + outputDirectory, suggestion: "name a file, or give the trainer the output folder of that job")
    }
    return hpcPath(number)
  }

  /// The highest `n` of the files `hpc_ckpt_<n>.ckpt` in the output folder.
  var newestHPCNumber: Int? {
    Folder.names(in: outputDirectory).compactMap { name in
      guard name.hasPrefix("hpc_ckpt_"), name.hasSuffix(".ckpt"), Self.isComplete("\(outputDirectory)/\(name)") else {
        return nil
      }
      return Int(name.dropFirst(9).dropLast(5))
    }.max()
  }

  func hpcPath(_ number: Int) -> String { "\(outputDirectory)/hpc_ckpt_\(number).ckpt" }
}
