internal import Torch

/// What checkpoints know of a data module: everything but the type of its batches.
protocol CheckpointedData: AnyObject {
  var stateKey: String { get }
  var hyperParameterArchive: ArchiveDictionary { get }
  func state() -> ArchiveDictionary
  func load(_ state: ArchiveDictionary) throws
}

extension DataModule: CheckpointedData {}
