internal import Glibc
internal import Stratagem

/// A shell that waits for the end of this process and then kills the process groups that it was told of.
///
/// The kernel kills the processes that a launcher started when the launcher dies, whatever ends it, but not those that
/// they have started in turn, such as the program behind a shell script.
final class GroupGuard {
  private static let script = """
    trap '' INT TERM HUP
    while read -r group; do
      if [ "$group" = done ]; then exit 0; fi
      groups="$groups $group"
    done
    for group in $groups; do kill -9 "-$group" 2>/dev/null; done
    """

  /// Where the shell learns what to kill: numbers of process groups, a line each.
  let descriptor: Int32
  private let pid: pid_t

  /// Starts the shell; nil where there is none, and the kernel alone has to do.
  init?() {
    var ends: [Int32] = [-1, -1]
    // A pair of sockets and no pipe: writing to a shell that somebody killed must not end this process.
    let kind = Int32(SOCK_STREAM.rawValue) | Int32(SOCK_CLOEXEC.rawValue)
    guard socketpair(AF_UNIX, kind, 0, &ends) == 0 else { return nil }
    defer { close(ends[0]) }
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, ends[0], 0)
    posix_spawn_file_actions_addopen(&actions, 1, "/dev/null", O_WRONLY, 0)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var attributes = posix_spawnattr_t()
    posix_spawnattr_init(&attributes)
    defer { posix_spawnattr_destroy(&attributes) }
    // A session of its own, so that Ctrl-C does not reach it.
    posix_spawnattr_setflags(&attributes, Int16(0x80))
    let words = ["sh", "-c", Self.script]
    var arguments: [UnsafeMutablePointer<CChar>?] = words.map { strdup($0) } + [nil]
    let variables = ClusterEnvironments.processVariables.map { "\($0.key)=\($0.value)" }
    var environment: [UnsafeMutablePointer<CChar>?] = variables.map { strdup($0) } + [nil]
    defer { for text in arguments + environment { free(text) } }
    var started: pid_t = 0
    let code = posix_spawn(&started, "/bin/sh", &actions, &attributes, &arguments, &environment)
    guard code == 0 else {
      close(ends[1])
      return nil
    }
    descriptor = ends[1]
    pid = started
  }

  /// Ends the shell; the groups have ended.
  func dismiss() {
    let text = "done\n"
    _ = send(descriptor, text, text.utf8.count, Int32(MSG_NOSIGNAL))
    close(descriptor)
    var status: Int32 = 0
    while waitpid(pid, &status, 0) < 0, errno == EINTR {}
  }
}
