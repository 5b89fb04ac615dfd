import Foundation
import Testing

@testable import Stratagem

@Suite("Files whose space is given back in the background")
struct RemovedFilesTests {
  let folder: ScratchFolder

  init() throws { folder = try ScratchFolder() }

  private func write(_ data: Data, _ folder: String, _ name: String) throws {
    let path = "\(self.folder.path)/\(folder)"
    try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    try self.folder.write(data, "\(folder)/\(name)")
  }

  /// Files of the folder that this process has open.
  private var openFiles: [String] {
    SystemFolder.names(in: "/proc/self/fd").compactMap { SystemFolder.target(of: "/proc/self/fd/\($0)") }
      .filter { $0.contains(folder.path) }
  }

  @Test("Names are gone at once, and space when it was waited for; more files than may be open", arguments: [3, 200])
  func removal(count: Int) throws {
    for number in 0..<count { try write(Data(count: 10_000), "v1", "\(number)") }
    try FileManager.default.createSymbolicLink(atPath: "\(folder.path)/v1/link", withDestinationPath: "0")
    RemovedFiles.shared.removeTree("\(folder.path)/v1")
    #expect(folder.names() == [])
    RemovedFiles.shared.wait()
    #expect(openFiles == [])
  }

  @Test("A version that replaces another one")
  func replacement() throws {
    for version in ["v1", "v2"] {
      try write(Data(count: 5 << 20), "a.ckpt/\(version)", "rank-00000.safetensors")
      try write(Data("{}".utf8), "a.ckpt/\(version)", "manifest.json")
    }
    try ShardedFolder("\(folder.path)/a.ckpt").publish("v2")
    #expect(folder.names("a.ckpt") == ["latest", "v2"])
    #expect(folder.names("a.ckpt/v2") == ["manifest.json", "rank-00000.safetensors"])
    RemovedFiles.shared.wait()
    #expect(openFiles == [])
  }
}
