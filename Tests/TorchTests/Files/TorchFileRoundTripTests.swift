import Foundation
import Testing
import Torch

@Suite struct TorchFileRoundTripTests {
  let folder: TemporaryFolder

  init() throws { folder = try TemporaryFolder() }

  private func roundTrip(_ value: ArchiveValue) throws -> ArchiveValue {
    try TorchFile.save(value, to: folder.file("value.pt"))
    return try TorchFile.load(folder.file("value.pt"))
  }

  @Test(arguments: [
    0, 1, -1, 255, 256, 65_535, 65_536, -128, -32_769, 2_147_483_647, 2_147_483_648, -2_147_483_648, -2_147_483_649,
    1 << 40, Int.max, Int.min,
  ])
  func integers(_ value: Int) throws {
    #expect(try roundTrip(.int(value)).intValue == value)
  }

  @Test(arguments: [0.0, -0.0, 0.1, -1e300, .leastNonzeroMagnitude, .infinity, -.infinity, .nan, .pi])
  func doubles(_ value: Double) throws {
    #expect(try roundTrip(.double(value)).doubleValue?.bitPattern == value.bitPattern)
  }

  @Test(arguments: ["", "plain", "Größe 数 🙂", "line\nbreak\0zero", String(repeating: "x", count: 70_000)])
  func strings(_ value: String) throws {
    #expect(try roundTrip(.string(value)).stringValue == value)
  }

  @Test func everyKindOfContainer() throws {
    var keyed = ArchiveDictionary()
    for key in [0, 300, -5] { keyed[key] = .int(key) }
    var ordered: ArchiveDictionary = ["b": 1, "a": 2]
    ordered.isOrderedDict = true
    var emptyOrdered = ArchiveDictionary()
    emptyOrdered.isOrderedDict = true
    let value: ArchiveValue = [
      "none": ArchiveValue.none, "true": true, "false": false, "list": [1, 2.5, "three", [], [[4]]],
      "tuples": [.tuple([]), .tuple([1]), .tuple([1, 2]), .tuple([1, 2, 3]), .tuple([1, 2, 3, .tuple([4])])],
      "keyed": .dictionary(keyed), "ordered": .dictionary(ordered), "emptyOrdered": .dictionary(emptyOrdered),
      "empty": .dictionary([:]), "repeated": ["same", "same", "same"],
      "long": .list((0..<1000).map { .string("key \($0)") }),
    ]
    #expect(difference(value, try roundTrip(value)) == nil)
  }

  @Test(arguments: DType.allCases.filter { $0 != .undefined })
  func tensors(_ dtype: DType) throws {
    let numbers = Tensor([0, 1, 2, 3, 100, 127] as [Int], shape: [2, 3]).to(dtype)
    let value: ArchiveValue = [
      "matrix": .tensor(numbers), "scalar": .tensor(Tensor.ones([], dtype: dtype)),
      "empty": .tensor(Tensor.empty([0, 3], dtype: dtype)),
    ]
    #expect(difference(value, try roundTrip(value)) == nil)
  }

  @Test func viewsOfOneStorageShareItAgain() throws {
    let whole = Tensor.arange(12).to(.float32)
    let matrix = whole.view([3, 4])
    let value: ArchiveValue = [
      "row": .tensor(matrix[1]), "column": .tensor(matrix.selected(dim: 1, index: 1)),
      "transposed": .tensor(matrix.transposed),
    ]
    let loaded = try roundTrip(value)
    #expect(difference(value, loaded) == nil)
    let row = try #require(loaded["row"]?.tensorValue)
    let transposed = try #require(loaded["transposed"]?.tensorValue)
    #expect(row.storageIdentifier == transposed.storageIdentifier)
    #expect(transposed.strides == [1, 4])
    row.fill(9)
    #expect(try transposed[0, 1].scalar() == 9)
    #expect(try loaded["column"]?.tensorValue?[1].scalar() == 9)
  }

  @Test func onlyWhatIsNeededIsWritten() throws {
    let large = Tensor.zeros([1000, 1000])
    try TorchFile.save(
      ["column": .tensor(large.selected(dim: 1, index: 3)), "slice": .tensor(Tensor.zeros([1 << 20])[0..<4])],
      to: folder.file("small.pt"))
    #expect(try contents(of: folder.file("small.pt")).count < 8000)
    let column = try #require(try TorchFile.load(folder.file("small.pt"))["column"]?.tensorValue)
    #expect(column.shape == [1000] && column.strides == [1])
  }

  @Test func expandedTensorStaysSmall() throws {
    let value: ArchiveValue = ["expanded": .tensor(Tensor.ones([1]).expanded(to: [1000, 1000]))]
    #expect(difference(value, try roundTrip(value)) == nil)
    #expect(try contents(of: folder.file("value.pt")).count < 4000)
  }

  @Test func parametersLoadWithoutGradient() throws {
    let parameter = Tensor.ones([3])
    parameter.requiresGradient = true
    let loaded = try #require(try roundTrip(["weight": .tensor(parameter)])["weight"]?.tensorValue)
    #expect(!loaded.requiresGradient && loaded.isLeaf)
    #expect(parameter.requiresGradient)
  }

  @Test func stateDictionaryKeepsItsOrder() throws {
    let state: StateDictionary = ["z.weight": .ones([2]), "a.bias": .zeros([1])]
    let loaded = try roundTrip(ArchiveValue(state))
    #expect(loaded.dictionaryValue?.isOrderedDict == true)
    #expect(loaded.dictionaryValue?.keys == [.string("z.weight"), .string("a.bias")])
    #expect(loaded.stateDictionary != nil)
    #expect((["a": 1] as ArchiveValue).stateDictionary == nil)
  }

  @Test func tensorsWithoutValuesAreRefused() throws {
    let meta = Tensor.empty([2], device: .meta)
    let found = reason { () throws(FileError) in
      try TorchFile.save(["layers": [.tensor(meta)]], to: folder.file("meta.pt"))
    }
    #expect(found == "cannot be written: the tensor at 'layers'.0 is on the meta device and has no values")
    #expect(try folder.names.isEmpty)
  }

  @Test func valuesNestedWithoutEndAreRefused() throws {
    var value: ArchiveValue = 1
    for _ in 0..<300 { value = [value] }
    let found = reason { () throws(FileError) in try TorchFile.save(value, to: folder.file("deep.pt")) }
    #expect(found?.contains("nested more than 200 deep") == true)
    var fine: ArchiveValue = 1
    for _ in 0..<150 { fine = [fine] }
    #expect(difference(fine, try roundTrip(fine)) == nil)
  }
}
