import Foundation
import Testing
import Torch

@Suite struct SafetensorsTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func file(_ header: String, data: [UInt8] = [], count: Int? = nil) throws -> String {
    let header = Array(header.utf8)
    let length = (0..<8).map { UInt8((count ?? header.count) >> (8 * $0) & 0xFF) }
    return try folder.write(length + header + data, "a.safetensors")
  }

  private func refusal(_ header: String, data: [UInt8] = [], count: Int? = nil) throws -> String? {
    let path = try file(header, data: data, count: count)
    return reason { () throws(FileError) in _ = try Safetensors.load(path) }
  }

  @Test func everyTypeSurvives() throws {
    let path = folder.file("all.safetensors")
    var state: StateDictionary = [
      "bool": Tensor([true, false, true]), "int64": Tensor([Int.min, 7]), "f\"\\\n": Tensor([1.5, -2] as [Float]),
      "scalar": .full([], 3), "empty": Tensor.empty([0, 4]), "transposed": Tensor.arange(6).view([2, 3]).transposed,
    ]
    for dtype in DType.allCases where dtype != .undefined {
      state.updateValue(Tensor([0, 1, 100] as [Int]).to(dtype), forKey: "of \(dtype)")
    }
    try Safetensors.save(state, metadata: ["format": "pt", "note": "tab\t\"quoted\""], to: path)
    let loaded = try Safetensors.load(path)
    #expect(loaded.count == state.count)
    for name in state.keys {
      let left = try #require(state[name])
      let right = try #require(loaded[name])
      #expect(difference(.tensor(left), .tensor(right)) == nil, "\(name)")
    }
    #expect(try Safetensors.metadata(of: path) == ["format": "pt", "note": "tab\t\"quoted\""])
  }

  @Test func widerTypesComeFirstSoThatAllAreAligned() throws {
    let path = folder.file("order.safetensors")
    let state: StateDictionary = [
      "a": Tensor([UInt8(1)]), "b": Tensor([1.0 as Float]), "c": Tensor([UInt8(2)]), "d": Tensor([1.0 as Double]),
    ]
    try Safetensors.save(state, to: path)
    #expect(Array(try Safetensors.load(path).keys) == ["d", "b", "a", "c"])
    let count = try contents(of: path)[0]
    #expect(count.isMultiple(of: 8))
  }

  @Test func emptyFileOfTensors() throws {
    let path = folder.file("none.safetensors")
    try Safetensors.save([:], to: path)
    #expect(try Safetensors.load(path).isEmpty)
    #expect(try Safetensors.metadata(of: path).isEmpty)
  }

  @Test func truncationIsNoticedAtEveryLength() throws {
    let path = folder.file("whole.safetensors")
    try Safetensors.save(["w": Tensor.arange(20), "b": Tensor.ones([3])], to: path)
    let bytes = try contents(of: path)
    for length in 0..<bytes.count {
      let cut = try folder.write(bytes.prefix(length), "cut.safetensors")
      let found = reason { () throws(FileError) in _ = try Safetensors.load(cut) }
      #expect(found?.contains(length < 8 ? "has only \(length) bytes" : "truncated") == true, "\(length)")
    }
  }

  @Test(arguments: [
    (
      #"{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}"#, 4, "of shape [2] and type F32 has data_offsets [0, 4]"
    ),
    (#"{"a":{"dtype":"F32","shape":[-1],"data_offsets":[0,4]}}"#, 4, "of shape [-1]"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,0]}}"#, 4, "data_offsets [4, 0]"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[-4,0]}}"#, 4, "data_offsets [-4, 0]"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4]}}"#, 4, "data_offsets [4]"),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[4,8]}}"#, 8, "starts at byte 4, the one before ends at 0"),
    (
      #"{"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[2,6]}}"#, 6,
      "starts at byte 2, the one before ends at 4"
    ),
    (
      #"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 2,
      "is truncated: its tensors take 4 bytes, 2 are there"
    ),
    (#"{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}"#, 6, "has 2 bytes behind its last tensor"),
    (#"{"a":{"dtype":"F8_E4M3","shape":[1],"data_offsets":[0,1]}}"#, 1, "of type F8_E4M3"),
    (#"{"a":{"dtype":"F32","shape":[4611686018427387904,4611686018427387904],"data_offsets":[0,4]}}"#, 4, "of shape"),
    (#"{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,4]}}"#, 4, "malformed"),
    (#"{"a":{"dtype":"F32","shape":[1]}}"#, 4, "header: tensor 'a' has no data_offsets"), (#"{"a":3}"#, 0, "malformed"),
    (#"{"__metadata__":{"a":1}}"#, 0, "malformed"), ("[]", 0, "malformed"), ("{", 0, "malformed"), ("", 0, "malformed"),
  ])
  func malformedHeadersSayWhatIsWrong(_ header: String, _ count: Int, _ message: String) throws {
    let found = try refusal(header, data: [UInt8](repeating: 0, count: count))
    #expect(found?.contains(message) == true, "\(found ?? "loaded")")
  }

  @Test func impossibleHeaderLengths() throws {
    #expect(try refusal("{}", count: -1)?.contains("header would have 18446744073709551615 bytes") == true)
    #expect(try refusal("{}", count: 1 << 40)?.contains("no safetensors file") == true)
    #expect(try refusal("{}", count: 1000)?.contains("truncated: its header has 1000 bytes") == true)
  }

  @Test func whatCannotBeWrittenIsNamed() throws {
    func save(_ state: StateDictionary) -> String? {
      reason { () throws(FileError) in try Safetensors.save(state, to: folder.file("x.safetensors")) }
    }
    #expect(save(["__metadata__": Tensor.ones([1])]) == "cannot be written: no tensor can be named '__metadata__'")
    #expect(save(["w": Tensor.empty([1], device: .meta)])?.contains("the tensor 'w' is on the meta device") == true)
    #expect(try folder.names.isEmpty)
  }
}
