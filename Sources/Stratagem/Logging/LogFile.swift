import Glibc
internal import Torch

/// The file operations that loggers need, with errors that name the path.
package enum LogFile {
  /// What stands at a path.
  package enum Kind {
    case absent, regular, other
  }

  package static func kind(of path: String) throws(LogFileError) -> Kind {
    var status = stat()
    if stat(path, &status) == 0 { return status.st_mode & S_IFMT == S_IFREG ? .regular : .other }
    if errno == ENOENT { return .absent }
    throw LogFileError("examine", path: path, errno: errno)
  }

  /// Makes a folder with its parents; an existing one is fine.
  package static func makeDirectories(_ path: String) throws(LogFileError) {
    guard !path.isEmpty, mkdir(path, 0o777) != 0, errno != EEXIST else { return }
    var code = errno
    if code == ENOENT, let slash = path.lastIndex(of: "/"), slash != path.startIndex {
      try makeDirectories(String(path[..<slash]))
      if mkdir(path, 0o777) == 0 || errno == EEXIST { return }
      code = errno
    }
    throw LogFileError("make the folder", path: path, errno: code)
  }

  /// Opens for appending, making the file when it is absent, and claims it for this process.
  ///
  /// The claim is an advisory lock that the kernel drops with the process, so a killed run blocks nobody.
  package static func openForAppending(_ path: String) throws(LogFileError) -> Int32 {
    FileSizeLimit.makeErrors()
    let descriptor = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0o666)
    guard descriptor >= 0 else { throw LogFileError("open", path: path, errno: errno) }
    if flock(descriptor, LOCK_EX | LOCK_NB) != 0, errno == EWOULDBLOCK {
      Glibc.close(descriptor)
      throw LogFileError(
        "write", path: path, reason: "another run is writing this file now; give this run another folder")
    }
    return descriptor
  }

  /// Begins a new file, open for appending and claimed; `existing` says what happens to an older one.
  ///
  /// - Parameter previous: the path that an older file is given when it is kept.
  package static func begin(_ path: String, _ existing: ExistingLogFile, previous: String) throws(LogFileError) -> Int32
  {
    let isOld = try kind(of: path) == .regular
    if isOld, existing == .refuse {
      throw LogFileError(
        "write", path: path, reason: "the file exists; resume the run it belongs to, or give this run another folder")
    }
    // Opening first refuses a file that another run is writing.
    var opened = try openForAppending(path)
    if isOld, existing == .keepPrevious {
      let code = rename(path, previous) == 0 ? 0 : errno
      close(opened)
      if code != 0 { throw LogFileError("rename to '\(previous)'", path: path, errno: code) }
      opened = try openForAppending(path)
    }
    if ftruncate(opened, 0) != 0, errno != EINVAL {
      let code = errno
      close(opened)
      throw LogFileError("empty", path: path, errno: code)
    }
    return opened
  }

  /// Writes all bytes; returns how many reached the file and the `errno` that stopped it, 0 when all did.
  package static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: Int32) -> (count: Int, code: Int32) {
    var done = 0
    while done < bytes.count {
      let count = Glibc.write(descriptor, bytes.baseAddress! + done, bytes.count - done)
      if count >= 0 {
        done += count
      } else if errno != EINTR {
        return (done, errno)
      }
    }
    return (done, 0)
  }

  package static func close(_ descriptor: Int32) {
    Glibc.close(descriptor)
  }

  /// Reads a whole file.
  package static func read(_ path: String) throws(LogFileError) -> [UInt8] {
    let descriptor = open(path, O_RDONLY | O_CLOEXEC)
    guard descriptor >= 0 else { throw LogFileError("open", path: path, errno: errno) }
    defer { Glibc.close(descriptor) }
    var status = stat()
    guard fstat(descriptor, &status) == 0 else { throw LogFileError("examine", path: path, errno: errno) }
    var code: Int32 = 0
    let bytes = [UInt8](unsafeUninitializedCapacity: max(Int(status.st_size), 0)) { buffer, count in
      while count < buffer.count {
        let got = Glibc.read(descriptor, buffer.baseAddress! + count, buffer.count - count)
        if got == 0 { return }
        if got > 0 {
          count += got
        } else if errno != EINTR {
          code = errno
          return
        }
      }
    }
    if code != 0 { throw LogFileError("read", path: path, errno: code) }
    return bytes
  }

  /// The name under which `replace(_:with:)` writes; a killed run can leave such a file.
  package static func temporaryPath(for path: String) -> String { path + ".tmp" }

  /// Puts a file with the given content in the place of `path` in one step; the old content stays when it fails.
  ///
  /// - Returns: the new file, open for appending and claimed as by `openForAppending(_:)`.
  package static func replace(_ path: String, with bytes: [UInt8]) throws(LogFileError) -> Int32 {
    let temporary = temporaryPath(for: path)
    unlink(temporary)
    let descriptor = try openForAppending(temporary)
    var result = bytes.withUnsafeBytes { write($0, to: descriptor) }
    if result.code == 0, fdatasync(descriptor) != 0 { result.code = errno }
    if result.code == 0, rename(temporary, path) != 0 { result.code = errno }
    if result.code != 0 {
      Glibc.close(descriptor)
      unlink(temporary)
      throw LogFileError("write", path: path, errno: result.code)
    }
    return descriptor
  }

  /// The path of a file in a folder; the present folder when that is empty.
  package static func join(_ directory: String, _ name: String) -> String {
    directory.isEmpty ? name : directory.hasSuffix("/") ? directory + name : directory + "/" + name
  }
}
