import Glibc

/// The files that the bytes of an ``AtomicFile`` go to before they have their name.
///
/// Each is locked as long as it is written. The lock ends with its process, so that what a killed one left is known.
enum TemporaryFile {
  private static let suffix = ".tmp"

  /// What the names of temporary files begin with, of a file of this name.
  static func prefix(of name: String) -> String { ".\(name.prefix(64))." }

  /// A path that is not in use: the prefix, the number of the process, and a random mark.
  static func path(in folder: String, prefix: String) -> String {
    "\(folder)/\(prefix)\(getpid()).\(String(UInt64.random(in: 0 ... .max), radix: 36))\(suffix)"
  }

  /// Creates and locks one.
  ///
  /// - Parameter file: what it is for, for errors.
  static func create(
    in folder: String, prefix: String, for file: String
  ) throws(FileError) -> (path: String, descriptor: Int32) {
    while true {
      let path = path(in: folder, prefix: prefix)
      let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o666)
      guard descriptor >= 0 else {
        throw FileError(path: file, action: "cannot create a file in the folder \(folder)", code: errno)
      }
      if isKept(descriptor) { return (path, descriptor) }
      // Another process took it for a leftover before it was locked.
      close(descriptor)
    }
  }

  /// Locks a file that was just created; false when another process removes it.
  private static func isKept(_ descriptor: Int32) -> Bool {
    // Where there are no locks nobody removes it either.
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0 { return errno != EWOULDBLOCK }
    var status = stat()
    return fstat(descriptor, &status) != 0 || status.st_nlink > 0
  }

  /// Removes those with this prefix that no process writes any more.
  static func removeLeftovers(in folder: String, prefix: String) {
    guard let entries = opendir(folder) else { return }
    defer { closedir(entries) }
    while let entry = readdir(entries) {
      // Not by value: an entry is shorter than its type says.
      let bytes = UnsafeRawPointer(entry) + MemoryLayout<dirent>.offset(of: \.d_name)!
      let name = String(cString: bytes.assumingMemoryBound(to: CChar.self))
      guard name.hasPrefix(prefix), name.hasSuffix(suffix) else { continue }
      let parts = name.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
      guard parts.count == 3, Int(parts[0]) != nil else { continue }
      let path = "\(folder)/\(name)"
      let descriptor = open(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC)
      guard descriptor >= 0 else { continue }
      defer { close(descriptor) }
      var status = stat()
      if fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, flock(descriptor, LOCK_EX | LOCK_NB) == 0
      {
        unlink(path)
      }
    }
  }
}
