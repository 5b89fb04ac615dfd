internal import Glibc

/// What stands beside a checkpoint while another one takes its place: `.{name}.{process}.tmp`, or what ``AtomicFile``
/// exchanged for a folder, `.{name}.{process}.{mark}.tmp`.
enum CheckpointLeftovers {
  /// Where a new checkpoint is made whose place something else has still.
  static func path(beside path: String) -> String { "\(Folder.parent(of: path))/.\(name(of: path)).\(getpid()).tmp" }

  /// Removes what processes left that were killed meanwhile.
  static func remove(beside path: String) {
    let (parent, name) = (Folder.parent(of: path), name(of: path))
    for entry in Folder.names(in: parent) {
      guard entry.hasPrefix("."), entry.hasSuffix(".tmp"),
        let prefix = [".\(name).", ".\(name.prefix(64))."].first(where: entry.hasPrefix)
      else { continue }
      let parts = entry.dropFirst(prefix.count).split(separator: ".", omittingEmptySubsequences: false)
      guard (2...3).contains(parts.count), let process = Int32(parts[0]), process > 0, isGone(process) else { continue }
      let leftover = ShardedFolder("\(parent)/\(entry)")
      if ShardedFolder.isFolder(leftover.path) {
        if leftover.isOwn || Folder.names(in: leftover.path).isEmpty { try? leftover.remove() }
      } else if parts.count == 2 {
        unlink(leftover.path)
      }
    }
  }

  private static func isGone(_ process: Int32) -> Bool { kill(process, 0) != 0 && errno == ESRCH }

  private static func name(of path: String) -> Substring { path.split(separator: "/").last ?? "" }
}
