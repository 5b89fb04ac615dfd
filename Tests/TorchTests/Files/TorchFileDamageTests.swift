import Foundation
import Testing
import Torch

@Suite struct TorchFileDamageTests {
  let folder: TemporaryFolder
  let value: ArchiveValue = [
    "epoch": 3, "lr": 0.125, "text": "Größe", "list": [1, .tuple([2, true, ArchiveValue.none])],
    "state_dict": ArchiveValue([
      "weight": Tensor.arange(60).to(.float32).reshaped(3, 20), "bias": Tensor.ones([3], dtype: .float64),
      "steps": Tensor([Int.max]),
    ]),
  ]

  init() throws { folder = try TemporaryFolder() }

  private func load(_ bytes: some Sequence<UInt8>) throws -> (value: ArchiveValue?, reason: String?) {
    let path = try folder.write(bytes, "damaged.pt")
    do throws(FileError) { return (try TorchFile.load(path), nil) } catch { return (nil, error.reason) }
  }

  private func saved() throws -> [UInt8] {
    try TorchFile.save(value, to: folder.file("whole.pt"))
    return try contents(of: folder.file("whole.pt"))
  }

  @Test func truncatedFileIsAnErrorAtEveryLength() throws {
    let bytes = try saved()
    let lengths = (1..<20).map { bytes.count * $0 / 20 } + Array(bytes.count - 100..<bytes.count) + [1, 2, 3, 4, 30]
    for length in lengths {
      let reason = try load(bytes.prefix(length)).reason
      #expect(reason?.contains(length < 2 ? "no zip archive" : "truncated") == true, "\(length): \(reason ?? "loaded")")
    }
    #expect(try load([]).reason == "is empty")
  }

  @Test func flippedBytesAreNoticedOrHarmless() throws {
    let bytes = try saved()
    var noticed = 0
    for position in stride(from: 0, to: bytes.count, by: 3) {
      var damaged = bytes
      damaged[position] ^= UInt8(1 << (position / 3 % 8))
      let found = try load(damaged)
      if let loaded = found.value {
        #expect(difference(loaded, value) == nil, "byte \(position)")
      } else {
        noticed += 1
      }
    }
    #expect(noticed > 300)
  }

  @Test func damagedTensorNamesItsRecord() throws {
    var bytes = try saved()
    let pattern = (5..<10).flatMap { withUnsafeBytes(of: Float($0)) { Array($0) } }
    let position = try #require((0..<bytes.count - 20).first { Array(bytes[$0..<$0 + 20]) == pattern })
    bytes[position] ^= 1
    #expect(try load(bytes).reason == "is damaged in record 'archive/data/0': its checksum does not match")
  }

  /// Whatever stands in a pickle: a value or an error, and never a trap.
  @Test(arguments: ["state-dict.pt", "values.pt", "own"])
  func randomlyDamagedPickleNeverTraps(_ name: String) throws {
    let bytes = name == "own" ? try saved() : try contents(of: reference(name))
    let pickle = try #require(firstRecord(of: bytes))
    let storages = (0..<16).map { (name: "a/data/\($0)", bytes: [UInt8](repeating: 0, count: 4096)) }
    var generator = SeededGenerator(state: 42)
    var refused = 0
    for round in 0..<1500 {
      var damaged = pickle
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        let position = Int.random(in: 0..<damaged.count, using: &generator)
        switch round % 3 {
        case 0: damaged[position] ^= UInt8(1 << Int.random(in: 0..<8, using: &generator))
        case 1: damaged[position] = UInt8.random(in: 0...255, using: &generator)
        default: damaged.remove(at: position)
        }
      }
      if round.isMultiple(of: 10) { damaged.removeLast(Int.random(in: 0..<damaged.count, using: &generator)) }
      if let reason = try load(zipArchive([("a/data.pkl", damaged)] + storages)).reason {
        refused += 1
        #expect(!reason.isEmpty)
      }
    }
    #expect(refused > 500)
  }

  /// The first record of an archive; `torch.save` puts the pickle there.
  private func firstRecord(of bytes: [UInt8]) -> [UInt8]? {
    let start = 30 + Int(bytes[26]) + Int(bytes[27]) << 8 + Int(bytes[28]) + Int(bytes[29]) << 8
    // A dot ends the pickle and the header of the next record, or the descriptor of this one, follows.
    let end = (start..<bytes.count - 3).first { bytes[$0] == 0x2E && bytes[$0 + 1] == 0x50 && bytes[$0 + 2] == 0x4B }
    return end.map { Array(bytes[start...$0]) }
  }

  @Test(arguments: [
    ("", "is truncated"), ("\u{80}\u{02}", "is truncated"), ("\u{80}\u{09}N.", "protocol 9"),
    ("0.", "a value is missing"), (".", "not empty"), ("NN.", "not empty"), ("(.", "not empty"),
    ("u.", "a mark is missing"), ("}(Nu.", "a key without a value"), ("Na.", "a value is missing"),
    ("NNa.", "appended to no list"), ("]NNs.", "set on no dictionary"), (")(NNu.", "set on no dictionary"),
    ("h\u{05}.", "refers to value 5"), ("X\u{7F}\u{7F}\u{7F}\u{7F}a.", "is truncated"),
    ("X\u{01}\0\0\0\u{80}.", "not UTF-8"), ("cos\nsystem\n.", "Python's os.system"),
    ("cbuiltins\neval\n(X\u{01}\0\0\01tR.", "Python's builtins.eval"),
    ("ccollections\nOrderedDict\n.", "class or function instead of a value"), ("NNR.", "no class or function"),
    ("NQ.", "storage is not described"), ("}NNs.", "neither text nor an integer"), ("C\u{01}a.", "bytes object"),
    ("ctorch._utils\n_rebuild_tensor_v2\n)R.", "tensor is not described"), ("]q\0h\0a.", "contain themselves"),
    ("\u{8A}\u{09}\0\0\0\0\0\0\0\0\u{01}.", "does not fit 64 bits"),
    ("\u{8A}\u{08}\0\0\0\0\0\0\0\u{80}0.", "not empty"),
    ("Nb.", "a value is missing"), ("NNb.", "attributes are set"),
    ("ctorch\nComplexFloatStorage\n.", "ComplexFloatStorage"),
    ("}(NNd.", "not empty"), ("\u{FF}.", "operation 0xff"), ("cnoend", "is truncated"),
  ])
  func malformedPickleSaysWhatIsWrong(_ pickle: String, _ message: String) throws {
    let bytes = pickle.unicodeScalars.map { UInt8($0.value) }
    let reason = try load(zipArchive([("a/data.pkl", bytes)])).reason
    #expect(reason?.contains(message) == true, "\(reason ?? "loaded")")
  }

  @Test(arguments: ["(", "]", "}", "N", "2", "]2", "h\0", "N\u{85}"])
  func hostileRepetitionNeverTraps(_ unit: String) throws {
    let bytes = "]q\0".utf8 + String(repeating: unit, count: 100_000).unicodeScalars.map { UInt8($0.value) } + [0x2E]
    #expect(try load(zipArchive([("a/data.pkl", bytes)])).reason != nil)
  }

  @Test func nestingDeeperThanTheStackIsRefused() throws {
    let deep = [UInt8](repeating: 0x5D, count: 100_000) + [UInt8](repeating: 0x61, count: 99_999) + [0x2E]
    #expect(try load(zipArchive([("a/data.pkl", deep)])).reason?.contains("nested more than 200") == true)
  }

  /// Lists that hold the one before twice: a walk through the values would not come to an end.
  @Test func listsThatDoubleAreRefused() throws {
    var pickle = Array("]q".utf8) + [0, 0x30]
    for number in UInt8(1)...60 {
      pickle += Array("]q".utf8) + [number] + Array("(h".utf8) + [number - 1] + Array("h".utf8) + [number - 1]
      pickle += Array("e0".utf8)
    }
    pickle += Array("h".utf8) + [60, 0x2E]
    let reason = try load(zipArchive([("a/data.pkl", pickle)])).reason
    #expect(reason?.contains("refer to others so often") == true, "\(reason ?? "loaded")")
  }

  /// `OrderedDict((d, d))` twice as large each time.
  @Test func dictionariesThatDoubleAreRefused() throws {
    let double = "ccollections\nOrderedDict\n(h\0h\0tRq\0"
    let pickle = "}(K\u{01}N" + "uq\0" + String(repeating: double, count: 60) + "0."
    let reason = try load(zipArchive([("a/data.pkl", Array(pickle.utf8))])).reason
    #expect(reason?.contains("copied over and over") == true, "\(reason ?? "loaded")")
  }

  @Test(arguments: [
    ("K\u{00}", "(K\u{02}t", "(K\u{01}t", "needs 2 elements of it, it has 1"),
    ("K\u{01}", "(K\u{01}t", "(K\u{01}t", "needs 2 elements of it, it has 1"),
    ("J\u{FF}\u{FF}\u{FF}\u{FF}", "(K\u{01}t", "(K\u{01}t", "out of range"),
    ("K\u{00}", "(J\u{FF}\u{FF}\u{FF}\u{FF}t", "(K\u{01}t", "out of range"),
    (
      "K\u{00}", "(J\u{FF}\u{FF}\u{FF}\u{7F}J\u{FF}\u{FF}\u{FF}\u{7F}J\u{FF}\u{FF}\u{FF}\u{7F}t", "(K\0K\0K\0t",
      "out of range"
    ),
    ("K\u{00}", "(K\u{01}t", "(t", "out of range"), ("K\u{00}", "(Nt", "(K\u{01}t", "no integer"),
  ])
  func tensorsOutsideTheirStorageAreRefused(_ offset: String, _ shape: String, _ strides: String, _ message: String)
    throws
  {
    let storage = "(X\u{07}\0\0\0storagectorch\nLongStorage\nX\u{01}\0\0\00X\u{03}\0\0\0cpuK\u{01}tQ"
    let pickle = "ctorch._utils\n_rebuild_tensor_v2\n(\(storage)\(offset)\(shape)\(strides)N}tR."
    let bytes = pickle.unicodeScalars.map { UInt8($0.value) }
    let reason = try load(zipArchive([("a/data.pkl", bytes), ("a/data/0", [UInt8](repeating: 0, count: 8))])).reason
    #expect(reason?.contains(message) == true, "\(reason ?? "loaded")")
    #expect(try load(zipArchive([("a/data.pkl", bytes)])).reason?.contains("data") == true)
  }

  @Test func filesOfOtherKindsAreNamed() throws {
    #expect(
      reason { () throws(FileError) in _ = try TorchFile.load(folder.file("none.pt")) }
        == "cannot open the file: No such file or directory")
    #expect(reason { () throws(FileError) in _ = try TorchFile.load(folder.path) } == "is a directory, not a file")
    #expect(reason { () throws(FileError) in _ = try TorchFile.load("/dev/null") } == "is not a regular file")
    #expect(try load([0x80, 2, 0x4E, 0x2E]).reason?.contains("legacy format") == true)
    #expect(try load(Array("hello world".utf8)).reason == "is not a PyTorch file: it is no zip archive")
    #expect(try load(zipArchive([("a.txt", [1])])).reason?.contains("no record 'data.pkl'") == true)
    let big = zipArchive([("a/data.pkl", Array("N.".utf8)), ("a/byteorder", Array("big".utf8))])
    #expect(try load(big).reason == "was written with byte order 'big'; only 'little' is read")
    let script = zipArchive([("a/data.pkl", Array("N.".utf8)), ("a/constants.pkl", Array("N.".utf8))])
    #expect(try load(script).reason?.contains("TorchScript") == true)
    try Safetensors.save(["a": Tensor.ones([1])], to: folder.file("a.safetensors"))
    #expect(try load(contents(of: folder.file("a.safetensors"))).reason?.contains("Safetensors.load") == true)
    let error = FileError(path: "x/last.ckpt", reason: "is empty")
    #expect("\(error)" == "x/last.ckpt: is empty")
  }

  @Test(.enabled(if: geteuid() != 0, "root may read everything"))
  func filesWithoutPermissionSaySo() throws {
    let path = try folder.write([1], "secret.pt")
    chmod(path, 0)
    #expect(
      reason { () throws(FileError) in _ = try TorchFile.load(path) } == "cannot open the file: Permission denied")
    chmod(folder.path, 0o500)
    defer { chmod(folder.path, 0o700) }
    let found = reason { () throws(FileError) in try TorchFile.save(1, to: folder.file("new.pt")) }
    #expect(found?.hasSuffix("Permission denied") == true)
  }

  @Test func classesOfPlainDataBecomeDictionaries() throws {
    let pickle = "cargparse\nNamespace\n)\u{81}}(X\u{01}\0\0\0aK\u{01}X\u{01}\0\0\0bctorch\nfloat32\nub."
    let bytes = pickle.unicodeScalars.map { UInt8($0.value) }
    let found = try load(zipArchive([("a/data.pkl", bytes)]))
    let dictionary = try #require(found.value?.dictionaryValue, "\(found.reason ?? "")")
    #expect(dictionary.pythonClass == "argparse.Namespace")
    #expect(dictionary["a"]?.intValue == 1 && dictionary["b"]?.stringValue == "torch.float32")
  }
}
