import Foundation
import Testing
import Torch

@Suite struct AtomicFileTests {
  let folder: TemporaryFolder
  let value: ArchiveValue = ["weights": .tensor(Tensor.ones([1000]))]

  init() throws { folder = try TemporaryFolder() }

  @Test(arguments: [0, 1, 63, 200, 1000, 3000, 4500, 5000])
  func fullDiskLeavesTheOldFile(_ limit: Int) throws {
    let path = folder.file("last.ckpt")
    try TorchFile.save(["epoch": 1], to: path)
    let old = try contents(of: path)
    let found = reason { () throws(FileError) in
      try TorchFile.save(value, to: AtomicFile(path, writeBytes: writing(upTo: limit)))
    }
    let text = try #require(found)
    #expect(text.hasPrefix("cannot be written: No space left on device after \(limit) of about "), "\(text)")
    #expect(text.contains("bytes were free in \(folder.path)"))
    #expect(try contents(of: path) == old)
    #expect(try folder.names == ["last.ckpt"])
  }

  @Test func otherFailuresCarryTheSystemsWords() throws {
    let found = reason { () throws(FileError) in
      try TorchFile.save(value, to: AtomicFile(folder.file("a.pt"), writeBytes: writing(upTo: 100, code: EDQUOT)))
    }
    #expect(found?.contains("Disk quota exceeded after 100 of") == true)
    #expect(try folder.names.isEmpty)
  }

  @Test func partialAndInterruptedWritesAreContinued() throws {
    var calls = 0
    let file = try AtomicFile(folder.file("a.pt")) { descriptor, bytes in
      calls += 1
      if calls.isMultiple(of: 3) {
        errno = EINTR
        return -1
      }
      return write(descriptor, bytes.baseAddress, min(bytes.count, 37))
    }
    try TorchFile.save(value, to: file)
    #expect(calls > 100)
    #expect(difference(try TorchFile.load(folder.file("a.pt")), value) == nil)
  }

  @Test func nothingIsSeenBeforeTheCommit() throws {
    let file = try AtomicFile(folder.file("a.txt"))
    file.append(Array("hello".utf8))
    #expect(!FileManager.default.fileExists(atPath: folder.file("a.txt")))
    try file.commit()
    #expect(try contents(of: folder.file("a.txt")) == Array("hello".utf8))
    #expect(try folder.names == ["a.txt"])
  }

  @Test func abandonedFileIsRemoved() throws {
    do {
      let file = try AtomicFile(folder.file("a.txt"))
      file.append([1, 2, 3])
      #expect(try folder.names.count == 1)
    }
    #expect(try folder.names.isEmpty)
  }

  @Test func whatAKilledProcessLeftIsRemoved() throws {
    for name in [".a.txt.7.x1.tmp", ".a.txt.notes.tmp", ".a.txt.7.x1.y.tmp", ".b.txt.7.x1.tmp"] {
      _ = try folder.write([1], name)
    }
    let living = try AtomicFile(folder.file("a.txt"))
    living.append([1])
    let file = try AtomicFile(folder.file("a.txt"))
    file.append([2])
    try file.commit()
    try living.commit()
    #expect(try folder.names == [".a.txt.7.x1.y.tmp", ".a.txt.notes.tmp", ".b.txt.7.x1.tmp", "a.txt"])
    #expect(try contents(of: folder.file("a.txt")) == [1])
  }

  @Test func aFolderIsThereUntilTheFileIs() throws {
    try FileManager.default.createDirectory(atPath: folder.file("a"), withIntermediateDirectories: true)
    _ = try folder.write([1], "a/inside")
    do {
      let file = try AtomicFile(folder.file("a"), replacesFolder: true)
      file.append([2])
      #expect(FileManager.default.fileExists(atPath: folder.file("a/inside")))
    }
    #expect(try folder.names == ["a"])
    let file = try AtomicFile(folder.file("a"), replacesFolder: true)
    file.append([2])
    try file.commit()
    #expect(try contents(of: folder.file("a")) == [2])
    let replaced = try #require(file.replacedFolder)
    #expect(FileManager.default.fileExists(atPath: replaced + "/inside"))
    #expect(try folder.names.count == 2)
  }

  @Test func impossiblePlacesAreNamed() throws {
    func save(_ path: String) -> String? { reason { () throws(FileError) in try TorchFile.save(1, to: path) } }
    #expect(save(folder.path) == "cannot be written: it is a directory")
    #expect(save(folder.path + "/")?.contains("cannot be written") == true)
    #expect(save("") == "cannot be written: a path that ends in a file name is needed")
    let missing = folder.file("no/such/a.pt")
    #expect(
      save(missing) == "cannot create a file in the folder \(folder.file("no/such")): No such file or directory")
    let plain = try folder.write([1], "plain")
    #expect(save(plain + "/a.pt")?.hasSuffix("Not a directory") == true)
  }

  @Test func relativePathsAndLongNamesWork() throws {
    let name = String(repeating: "n", count: 250)
    try TorchFile.save(1, to: folder.file(name))
    #expect(try folder.names == [name])
  }

  @Test func linkIsReplacedAndItsTargetKept() throws {
    try TorchFile.save(1, to: folder.file("best.ckpt"))
    try FileManager.default.createSymbolicLink(atPath: folder.file("last.ckpt"), withDestinationPath: "best.ckpt")
    try TorchFile.save(2, to: folder.file("last.ckpt"))
    #expect(try TorchFile.load(folder.file("best.ckpt")).intValue == 1)
    #expect(try TorchFile.load(folder.file("last.ckpt")).intValue == 2)
  }
}
