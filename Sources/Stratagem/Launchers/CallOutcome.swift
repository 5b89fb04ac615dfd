internal import Torch

/// How a call that ran in processes of its own ended, as it is kept in a file.
enum CallOutcome {
  /// It returned; the state that the other processes take over.
  case completed(ArchiveValue)
  /// A signal asked it to stop, and it did in good order.
  case interrupted(signal: Int, checkpoint: String?, state: ArchiveValue)
  /// A worker failed.
  case failed(WorkerFailure)

  /// - Parameter call: the name of the call, by which a program that takes another path is noticed.
  func write(call: String, to path: String) throws {
    var contents: ArchiveDictionary = ["call": .string(call)]
    switch self {
    case .completed(let state): contents["state"] = state
    case .interrupted(let signal, let checkpoint, let state):
      contents["signal"] = .int(signal)
      contents["checkpoint"] = checkpoint.map { .string($0) } ?? ArchiveValue.none
      contents["state"] = state
    case .failed(let failure): contents["failure"] = failure.archive
    }
    try TorchFile.save(.dictionary(contents), to: path)
  }

  /// Reads the outcome of a call and the name of that call.
  static func read(_ path: String) throws -> (outcome: CallOutcome, call: String) {
    let contents = try TorchFile.load(path)
    let call = contents["call"]?.stringValue ?? ""
    if let failure = contents["failure"].flatMap({ WorkerFailure(archive: $0) }) { return (.failed(failure), call) }
    let state = contents["state"] ?? .none
    guard let signal = contents["signal"]?.intValue else { return (.completed(state), call) }
    return (.interrupted(signal: signal, checkpoint: contents["checkpoint"]?.stringValue, state: state), call)
  }
}

extension WorkerFailure {
  fileprivate var archive: ArchiveValue {
    let (kind, text): (String, String) =
      switch cause {
      case .exited(let status): ("exited", "\(status)")
      case .signalled(let name): ("signalled", name)
      case .reported(let message): ("reported", message)
      case .disconnected(let message): ("disconnected", message)
      }
    return [
      "rank": .int(rank), "kind": .string(kind), "text": .string(text), "status": .int(exitStatus),
      "lines": .list(recentErrorLines.map { .string($0) }),
    ]
  }

  fileprivate init?(archive: ArchiveValue) {
    guard let rank = archive["rank"]?.intValue, let text = archive["text"]?.stringValue,
      let status = archive["status"]?.intValue
    else { return nil }
    let cause: Cause
    switch archive["kind"]?.stringValue {
    case "exited": cause = .exited(Int(text) ?? 1)
    case "signalled": cause = .signalled(text)
    case "disconnected": cause = .disconnected(text)
    default: cause = .reported(text)
    }
    self.init(
      rank: rank, cause: cause, exitStatus: status,
      recentErrorLines: archive["lines"]?.listValue?.compactMap(\.stringValue) ?? [])
  }
}
