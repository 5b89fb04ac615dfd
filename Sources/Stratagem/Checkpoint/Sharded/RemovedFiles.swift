internal import Glibc
internal import TorchData

/// Files whose names are gone, and whose space a thread gives back to the disk.
///
/// A file system that tells the disk what is free needs for it a good part of the time that writing took. Nobody waits for
/// that but whoever needs the space.
final class RemovedFiles: @unchecked Sendable {
  static let shared = RemovedFiles()

  /// Files that may be open because of this at a time; others are removed as usual.
  private static let mostOpen = 64

  private let monitor = Monitor()
  private var openCount = 0

  private init() {}

  /// Removes the files of a folder, and the folder; of a link to one the link alone.
  ///
  /// - Parameter first: the file without which the others mean nothing; it goes first.
  func removeTree(_ path: String, beginningWith first: String? = nil) {
    guard unlink(path) != 0 else { return }
    let names = Folder.names(in: path)
    var opened: [Int32] = []
    for name in names.filter({ $0 == first }) + names.filter({ $0 != first }) {
      let file = "\(path)/\(name)"
      if let descriptor = hold(file) { opened.append(descriptor) }
      unlink(file)
    }
    let isRemoved = rmdir(path) == 0
    // Over a network, an open file keeps a name in its folder.
    release(opened) { if !isRemoved { rmdir(path) } }
  }

  /// Removes a file.
  ///
  /// - Returns: 0 or an `errno`.
  func remove(_ file: String) -> Int32 {
    let descriptor = hold(file)
    let code = unlink(file) == 0 ? 0 : errno
    release(descriptor.map { [$0] } ?? []) {}
    return code
  }

  /// Closes files on a thread, and does the rest behind it.
  private func release(_ opened: [Int32], _ finish: @escaping @Sendable () -> Void) {
    guard !opened.isEmpty else { return }
    let release: @Sendable () -> Void = { [self] in
      for descriptor in opened { close(descriptor) }
      finish()
      monitor.locked {
        openCount -= opened.count
        monitor.signalAll()
      }
    }
    if BackgroundThread.start("removed-files", release) != 0 { release() }
  }

  /// Waits until the space of everything that was removed is free.
  func wait() { monitor.locked { while openCount > 0 { monitor.wait() } } }

  /// Opens a file, which then takes its space until it is closed; nil when that cannot be done.
  private func hold(_ file: String) -> Int32? {
    let isAllowed = monitor.locked {
      defer { openCount += openCount < Self.mostOpen ? 1 : 0 }
      return openCount < Self.mostOpen
    }
    guard isAllowed else { return nil }
    let descriptor = open(file, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
    if descriptor < 0 { monitor.locked { openCount -= 1 } }
    return descriptor < 0 ? nil : descriptor
  }
}
