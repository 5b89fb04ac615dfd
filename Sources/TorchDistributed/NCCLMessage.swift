/// What c10d says of a failure of NCCL.
enum NCCLMessage {
  /// The kind of failure, NCCL's own words and what to do about it, in one line; nil for a message about something else.
  static func explained(_ message: String) -> String? {
    let lines = message.split(separator: "\n")
    guard let (kind, advice) = advices.first(where: { message.contains($0.0) }) else { return nil }
    // The last error stands on the line after these words; without it, there is a sentence about the kind.
    let last = lines.firstIndex { $0.hasPrefix("Last error") }.flatMap { lines.dropFirst($0 + 1).first }
    guard let words = last ?? lines.first(where: { $0.hasPrefix(kind) }) else { return "\(kind); \(advice)" }
    return words.contains(kind) ? "\(words); \(advice)" : "\(kind): \(words); \(advice)"
  }

  /// What stands in messages, and what to do.
  private static let advices: [(String, String)] = [
    (
      "Duplicate GPU detected",
      "two ranks are on one GPU: give each its own by `devices`, or choose processGroupBackend: .gloo"
    ),
    (
      "ncclUnhandledCudaError",
      "see whether the GPUs have free memory and a driver that is new enough (nvidia-smi); NCCL_DEBUG=INFO tells the call"
    ),
    (
      "ncclSystemError",
      "in a container /dev/shm may be too small (docker run --shm-size=1g); between machines NCCL_SOCKET_IFNAME names the "
        + "interface; NCCL_DEBUG=INFO tells the call"
    ),
    ("ncclRemoteError", "another rank has ended or the network failed: look for that rank's own error"),
    ("ncclInvalidUsage", "all ranks need one version of NCCL and a GPU each; NCCL_DEBUG=INFO tells more"),
    ("ncclInternalError", "NCCL_DEBUG=INFO tells more"),
  ]
}
