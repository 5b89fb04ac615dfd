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
}
