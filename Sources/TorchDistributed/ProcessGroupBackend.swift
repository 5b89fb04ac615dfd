internal import CTorch

/// What moves the tensors of a process group.
public enum ProcessGroupBackend: String, CaseIterable, Hashable, Sendable {
  /// Gloo: over TCP, from the memory of the host. Tensors of GPUs are copied there and back.
  case gloo
  /// NCCL for tensors of NVIDIA GPUs, and Gloo for all others: what PyTorch writes as `cpu:gloo,cuda:nccl`.
  case nccl

  /// Finds a backend by the names that PyTorch takes; nil for those that there are not here, such as `mpi`.
  public init?(name: String) {
    switch name.lowercased() {
    case "gloo", "cpu:gloo", "cpu:gloo,cuda:gloo": self = .gloo
    case "nccl", "cuda:nccl", "cpu:gloo,cuda:nccl", "cuda:nccl,cpu:gloo": self = .nccl
    default: return nil
    }
  }

  /// Why this program cannot use it on any machine, such as `libtorch is a build for CPUs`; nil when it can.
  public var problem: String? {
    guard self == .nccl, let text = ct_nccl_problem() else { return nil }
    return String(cString: text)
  }

  /// What gives a program NCCL.
  package static let remedy =
    "run Scripts/setup with STRATAGEM_TORCH=python or LIBTORCH=FOLDER for a libtorch with CUDA, and build again"
}
