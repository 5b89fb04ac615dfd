import Foundation
import Torch

/// A folder of its own that goes away with the value.
final class TemporaryFolder {
  let path: String

  init() throws {
    let url = FileManager.default.temporaryDirectory.appendingPathComponent("stratagem-\(UUID().uuidString)")
    try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
    path = url.path
  }

  deinit { try? FileManager.default.removeItem(atPath: path) }

  func file(_ name: String) -> String { "\(path)/\(name)" }

  func write(_ bytes: some Sequence<UInt8>, _ name: String) throws -> String {
    try Data(bytes).write(to: URL(fileURLWithPath: file(name)))
    return file(name)
  }

  var names: [String] { get throws { try FileManager.default.contentsOfDirectory(atPath: path).sorted() } }
}

func contents(of path: String) throws -> [UInt8] { [UInt8](try Data(contentsOf: URL(fileURLWithPath: path))) }

/// A file that PyTorch wrote, or the description of one, under `Tests/Reference/Data`.
func reference(_ name: String) -> String {
  let here = URL(fileURLWithPath: #filePath)
  let tests = here.deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()
  return tests.appendingPathComponent("Reference/Data/\(name)").path
}

/// SplitMix64: the same numbers in every run.
struct SeededGenerator: RandomNumberGenerator {
  var state: UInt64

  mutating func next() -> UInt64 {
    state &+= 0x9E37_79B9_7F4A_7C15
    var z = state
    z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
    z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
    return z ^ (z >> 31)
  }
}

/// Where two values first differ; `nil` when they are equal in kind, order, and every bit of every tensor.
func difference(_ left: ArchiveValue, _ right: ArchiveValue, at place: String = "") -> String? {
  switch (left, right) {
  case (.none, .none): return nil
  case (.bool(let left), .bool(let right)) where left == right: return nil
  case (.int(let left), .int(let right)) where left == right: return nil
  case (.double(let left), .double(let right)) where left.bitPattern == right.bitPattern: return nil
  case (.string(let left), .string(let right)) where left == right: return nil
  case (.tensor(let left), .tensor(let right)) where bits(left) == bits(right) && left.shape == right.shape:
    return left.dtype == right.dtype ? nil : "\(place): \(left.dtype) against \(right.dtype)"
  case (.list(let left), .list(let right)) where left.count == right.count,
    (.tuple(let left), .tuple(let right)) where left.count == right.count:
    for (index, pair) in zip(left, right).enumerated() {
      if let found = difference(pair.0, pair.1, at: "\(place).\(index)") { return found }
    }
    return nil
  case (.dictionary(let left), .dictionary(let right))
  where left.keys == right.keys && left.isOrderedDict == right.isOrderedDict:
    for (left, right) in zip(left, right) {
      if let found = difference(left.value, right.value, at: "\(place).\(left.key)") { return found }
    }
    return nil
  default: return "\(place): \(left) against \(right)"
  }
}

private func bits(_ tensor: Tensor) -> [UInt8] {
  tensor.contiguous().withUnsafeBytes { Array($0) }
}

/// A zip archive of uncompressed records without checksums, as `torch.save` writes with checksums switched off.
func zipArchive(_ records: [(name: String, bytes: [UInt8])]) -> [UInt8] {
  func little(_ value: Int, _ count: Int) -> [UInt8] { (0..<count).map { UInt8(value >> (8 * $0) & 0xFF) } }
  var file: [UInt8] = []
  var directory: [UInt8] = []
  for (name, bytes) in records {
    let name = Array(name.utf8)
    let sizes = little(0, 4) + little(bytes.count, 4) + little(bytes.count, 4) + little(name.count, 2) + little(0, 2)
    directory += little(0x0201_4B50, 4) + little(20, 2) + little(20, 2) + [UInt8](repeating: 0, count: 8) + sizes
    directory += [UInt8](repeating: 0, count: 10) + little(file.count, 4) + name
    file += little(0x0403_4B50, 4) + little(20, 2) + [UInt8](repeating: 0, count: 8) + sizes + name + bytes
  }
  let end =
    little(0x0605_4B50, 4) + little(0, 4) + little(records.count, 2) + little(records.count, 2)
    + little(directory.count, 4) + little(file.count, 4) + little(0, 2)
  return file + directory + end
}

/// The reason of the error that `body` throws; `nil` when it returns.
func reason(_ body: () throws(FileError) -> Void) -> String? {
  do throws(FileError) {
    try body()
    return nil
  } catch {
    return error.reason
  }
}
