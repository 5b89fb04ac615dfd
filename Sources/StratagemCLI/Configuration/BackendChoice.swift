internal import TorchDistributed

/// The backends of process groups by name.
enum BackendChoice: String, CaseIterable, Codable {
  case auto, gloo, nccl

  /// Nil for that of the hardware.
  var backend: ProcessGroupBackend? { ProcessGroupBackend(rawValue: rawValue) }
}
