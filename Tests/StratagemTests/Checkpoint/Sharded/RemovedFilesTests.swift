import Foundation
import Glibc
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

  @Test("A checkpoint that is removed: in an order in which what a kill leaves is none, and each file held open before")
  func wholeCheckpoint() throws {
    let path = "\(folder.path)/a.ckpt"
    let names = ["common.ckpt", "manifest.json", "rank-00000.safetensors", "rank-00001.safetensors"]
    for name in names { try write(Data(count: 5000), "a.ckpt/v1", name) }
    try write(Data("v1\n".utf8), "a.ckpt", "latest")
    let events = try FolderEvents([path, "\(path)/v1"])
    try ShardedFolder(path).remove()
    #expect(folder.names() == [])
    let found = events.read()
    #expect(
      found.filter { $0.kind == .removed }.map(\.name) == ["latest", "manifest.json"]
        + names.filter { $0 != "manifest.json" } + ["v1"])
    for name in names {
      let kinds = found.filter { $0.name == name }.map(\.kind)
      #expect(kinds == [.opened, .removed], "\(name)")
    }
    RemovedFiles.shared.wait()
    #expect(openFiles == [])
  }

  @Test("A single file that is removed, and one that is not there or cannot be removed")
  func singleFile() throws {
    try write(Data(count: 5000), "checkpoints", "a.ckpt")
    let events = try FolderEvents(["\(folder.path)/checkpoints"])
    let path = "\(folder.path)/checkpoints/a.ckpt"
    try FileCheckpointIO().remove(at: path)
    #expect(events.read() == [.init(kind: .opened, name: "a.ckpt"), .init(kind: .removed, name: "a.ckpt")])
    try FileCheckpointIO().remove(at: path)
    try write(Data(), "checkpoints/folder", "other")
    #expect(throws: CheckpointError.self) { try FileCheckpointIO().remove(at: "\(folder.path)/checkpoints/folder") }
    RemovedFiles.shared.wait()
    #expect(openFiles == [])
  }
}

/// What happens to the files of folders, in order.
private final class FolderEvents {
  struct Event: Equatable {
    enum Kind { case opened, removed }
    let kind: Kind
    let name: String
  }

  private let descriptor: Int32

  init(_ folders: [String]) throws {
    descriptor = inotify_init1(Int32(IN_NONBLOCK))
    try #require(descriptor >= 0)
    for folder in folders {
      try #require(inotify_add_watch(descriptor, folder, UInt32(IN_OPEN) | UInt32(IN_DELETE)) >= 0)
    }
  }

  deinit { close(descriptor) }

  /// The events up to now; the opening of folders is none.
  func read() -> [Event] {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = Glibc.read(descriptor, &buffer, buffer.count)
    var events: [Event] = []
    var place = 0
    while place < count {
      let (mask, length) = buffer.withUnsafeBytes {
        (
          $0.loadUnaligned(fromByteOffset: place + 4, as: UInt32.self),
          Int($0.loadUnaligned(fromByteOffset: place + 12, as: UInt32.self))
        )
      }
      let name = String(decoding: buffer[(place + 16)..<(place + 16 + length)].prefix { $0 != 0 }, as: UTF8.self)
      if mask & UInt32(IN_DELETE) != 0 {
        events.append(Event(kind: .removed, name: name))
      } else if mask & UInt32(IN_OPEN) != 0, mask & UInt32(IN_ISDIR) == 0 {
        events.append(Event(kind: .opened, name: name))
      }
      place += 16 + length
    }
    return events
  }
}
