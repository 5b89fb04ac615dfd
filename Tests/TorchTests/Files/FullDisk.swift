import Glibc
import Torch

/// Writes to a disk that takes `limit` bytes and then fails as a full one does.
func writing(upTo limit: Int, code: Int32 = ENOSPC) -> AtomicFile.Write {
  var room = limit
  return { descriptor, bytes in
    guard room > 0 else {
      errno = code
      return -1
    }
    let count = write(descriptor, bytes.baseAddress, min(bytes.count, room))
    room -= max(count, 0)
    return count
  }
}
