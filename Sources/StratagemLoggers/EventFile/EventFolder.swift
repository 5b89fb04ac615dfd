import Glibc
internal import Stratagem
internal import Synchronization

/// The event files of a folder and their names, `events.out.tfevents.<time>.<host>.<pid>.<n>`.
struct EventFolder {
  let path: String

  private static let mark = "tfevents"
  private static let counter = Atomic<Int>(0)

  /// The event files of the folder, in the order in which TensorBoard reads them.
  func files() throws(LogFileError) -> [String] {
    guard let names = SystemFolder.entries(of: path) else {
      if errno == ENOENT { return [] }
      throw LogFileError("list", path: path, errno: errno)
    }
    return names.filter { $0.contains(Self.mark) }.sorted()
  }

  /// Makes an event file that comes after all others of the folder.
  func makeFile(time: Double) throws(LogFileError) -> (path: String, descriptor: Int32) {
    let latest = try files().compactMap(Self.time).max() ?? 0
    let number = Self.counter.wrappingAdd(1, ordering: .relaxed).oldValue
    let digits = String(max(Int(time), latest + 1))
    let name =
      "events.out.\(Self.mark)." + String(repeating: "0", count: max(0, 10 - digits.count)) + digits
      + ".\(Self.host).\(getpid()).\(number)"
    let file = LogFile.join(path, name)
    return (path: file, descriptor: try LogFile.openForAppending(file))
  }

  /// Does with the files of an older run what `existing` says.
  func clear(_ existing: ExistingLogFile) throws(LogFileError) {
    let old = try files()
    guard !old.isEmpty else { return }
    if existing == .refuse {
      throw LogFileError(
        "write to", path: path,
        reason: "there are event files of another run; resume that run, or give this run another folder")
    }
    for name in old {
      // Refuses a file that another run is writing.
      LogFile.close(try LogFile.openForAppending(LogFile.join(path, name)))
    }
    guard existing == .keepPrevious else {
      for name in old { try remove(LogFile.join(path, name)) }
      return
    }
    let previous = EventFolder(path: LogFile.join(path, "previous"))
    try LogFile.makeDirectories(previous.path)
    for name in try previous.files() { try remove(LogFile.join(previous.path, name)) }
    for name in old {
      let (from, to) = (LogFile.join(path, name), LogFile.join(previous.path, name))
      if rename(from, to) != 0 { throw LogFileError("move to '\(to)'", path: from, errno: errno) }
    }
  }

  private func remove(_ file: String) throws(LogFileError) {
    if unlink(file) != 0, errno != ENOENT { throw LogFileError("remove", path: file, errno: errno) }
  }

  /// The time in a file's name.
  private static func time(of name: String) -> Int? {
    let parts = name.split(separator: ".")
    guard let place = parts.firstIndex(of: Substring(mark)), place + 1 < parts.count else { return nil }
    return Int(parts[place + 1])
  }

  private static var host: String {
    var name = [CChar](repeating: 0, count: 256)
    guard gethostname(&name, name.count - 1) == 0 else { return "localhost" }
    let text = String(decoding: name.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    return text.isEmpty ? "localhost" : text.replacing("/", with: "-")
  }
}
