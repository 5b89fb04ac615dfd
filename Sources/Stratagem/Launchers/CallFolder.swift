import CProcess
import Glibc
import Synchronization
internal import Torch

/// The private folder in which the outcomes of calls that ran in processes of their own are kept until the program ends.
///
/// The main process makes it; workers find it through the environment. What a killed program left is removed by the next.
enum CallFolder {
  private struct State {
    var path: String?
    var owner: pid_t = 0
    var calls = 0
    var lastFailure: WorkerFailure?
  }

  private static let state = Mutex(State())
  private static let prefix = "stratagem-calls-"

  /// The folder of this program, when there is one.
  static var path: String? {
    state.withLock { $0.path } ?? ProcessVariables.current[WorkerVariable.calls].flatMap { $0.isEmpty ? nil : $0 }
  }

  /// The number of the next call of the program, counted from 1 in the same way by every process.
  static func nextNumber() -> Int {
    state.withLock { state in
      state.calls += 1
      return state.calls
    }
  }

  /// The failure of the last call; the program ends with its status when it ends with 1.
  static var lastFailure: WorkerFailure? {
    get { state.withLock { $0.lastFailure } }
    set { state.withLock { $0.lastFailure = newValue } }
  }

  /// The file with the outcome of a call.
  static func file(of number: Int, in folder: String) -> String { "\(folder)/\(number).outcome" }

  /// Makes the folder of this program, which is removed when the program ends.
  static func make() throws -> String {
    if let path = state.withLock({ $0.path }) { return path }
    let temporary = ProcessVariables.current["TMPDIR"].flatMap { $0.isEmpty ? nil : $0 } ?? "/tmp"
    removeAbandoned(in: temporary)
    var template = Array("\(temporary)/\(prefix)\(getpid())-XXXXXX".utf8CString)
    guard mkdtemp(&template) != nil else {
      throw LaunchError.noFolder(temporary, reason: String(cString: strerror(errno)))
    }
    let path = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    state.withLock { state in
      state.path = path
      state.owner = getpid()
    }
    cp_before_end { CallFolder.remove() }
    _ = cp_on_exit { status in CallFolder.processIsEnding(status: status) }
    return path
  }

  private static func processIsEnding(status: Int32) {
    guard state.withLock({ $0.owner == getpid() }) else { return }
    remove()
    // 1 is what programs end with after any error; the worker's own status says more.
    if status == 1, let failure = lastFailure { cp_end_now(Int32(failure.exitStatus)) }
  }

  private static func remove() {
    let path = state.withLock { state in
      state.owner == getpid() ? state.path.take() : nil
    }
    if let path { remove(path) }
  }

  private static func remove(_ path: String) {
    for name in SystemFolder.names(in: path) { unlink("\(path)/\(name)") }
    rmdir(path)
  }

  private static func removeAbandoned(in temporary: String) {
    for name in SystemFolder.names(in: temporary) where name.hasPrefix(prefix) {
      guard let pid = pid_t(name.dropFirst(prefix.count).prefix { $0 != "-" }) else { continue }
      // The folder of another user cannot be removed, and its process not be asked for.
      if kill(pid, 0) != 0, errno == ESRCH { remove("\(temporary)/\(name)") }
    }
  }
}
