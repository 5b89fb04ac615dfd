/// How the state of a run is written to checkpoints; the words are those of Lightning's FSDP strategy.
public enum StateDictType: String, Sendable, CaseIterable, Codable {
  /// One file that rank 0 writes.
  case full
  /// A folder into which every rank writes the tensors, or parts of tensors, that it holds.
  case sharded
}
