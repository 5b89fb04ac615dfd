import Foundation
import Glibc
import Testing

@testable import Stratagem

@Suite("The memory that a process can still have")
struct AvailableMemoryTests {
  @Test("is no more than the machine's")
  func machine() throws {
    let free = try #require(AvailableMemory.byteCount)
    #expect(free > 0 && free <= sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
  }

  @Test("ends at a limit of the process")
  func limit() async {
    await #expect(processExitsWith: .success) {
      var limit = rlimit(rlim_cur: 512 << 20, rlim_max: 512 << 20)
      #expect(setrlimit(__rlimit_resource_t(RLIMIT_DATA.rawValue), &limit) == 0)
      #expect((AvailableMemory.limit ?? .max) <= 512 << 20)
      #expect(AvailableMemory.isScarce)
      let before = AvailableMemory.byteCount ?? .max
      #expect(before < 512 << 20)
      let size = 64 << 20
      let memory = UnsafeMutableRawPointer.allocate(byteCount: size, alignment: 64)
      #expect((AvailableMemory.byteCount ?? .max) <= before - size)
      memory.deallocate()
    }
  }

  @Test(
    "ends at the limit of a control group, or of one above it",
    arguments: [
      // Version 1 with the path of a container's host, and with its own.
      (
        "5:cpu,memory:/host/path\n1:name=systemd:/x\n",
        ["memory/memory.limit_in_bytes": "4096", "memory/memory.usage_in_bytes": "1024"], [4096], [1024]
      ),
      (
        "7:memory:/a\n",
        [
          "memory/memory.limit_in_bytes": "9223372036854771712", "memory/a/memory.limit_in_bytes": "2048",
          "memory/a/memory.usage_in_bytes": "2000", "memory/a/memory.stat": "cache 5\ninactive_file 1000\n",
        ], [2048], [1000]
      ),
      // Version 2, where "max" is no limit.
      (
        "0::/a/b\n",
        [
          "a/b/memory.max": "max", "a/memory.max": "8192", "a/memory.current": "100", "memory.max": "16384",
          "memory.current": "200",
        ], [8192, 16384], [100, 200]
      ),
      ("0::/\n", ["memory.max": "max", "memory.current": "200"], [], []),
    ])
  func controlGroups(membership: String, files: [String: String], limits: [Int], used: [Int]) throws {
    let folder = try ScratchFolder()
    let system = URL(fileURLWithPath: folder.path)
    for (name, text) in files.map({ ("sys/fs/cgroup/\($0.key)", $0.value) }) + [("proc/self/cgroup", membership)] {
      let file = system.appending(path: name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }
    let groups = AvailableMemory.controlGroups(in: folder.path)
    #expect(groups.map(\.limit) == limits)
    #expect(groups.compactMap(\.used) == used)
  }
}
