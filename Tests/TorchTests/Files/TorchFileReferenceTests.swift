import Testing
import Torch

/// Files that PyTorch wrote (`Tests/Reference/files.py`), against what it says is in them.
@Suite struct TorchFileReferenceTests {
  let expected: ReferenceJSON

  init() throws { expected = try ReferenceJSON.file("files.json") }

  @Test func stateDictionaryOfEveryType() throws {
    let loaded = try TorchFile.load(reference("state-dict.pt"))
    let dictionary = try #require(loaded.dictionaryValue)
    #expect(dictionary.isOrderedDict)
    let descriptions = try #require(expected["state-dict.pt"]).members
    #expect(dictionary.count == descriptions.count)
    for (name, tensor) in try #require(loaded.stateDictionary) {
      let description = try #require(descriptions[name], "\(name)")
      #expect("\(tensor.dtype)" == description["dtype"]?.string, "\(name)")
      #expect(tensor.shape == description["shape"]?.ints, "\(name)")
      #expect(tensor.strides == description["strides"]?.ints, "\(name)")
      #expect(tensor.storageOffset == description["storage_offset"]?.int, "\(name)")
      #expect(try tensor.to(.float64).array(as: Double.self) == description["values"]?.numbers, "\(name)")
    }
    let shared = expected["shared_storage"]?.elements?.compactMap { $0.string.flatMap { dictionary[$0]?.tensorValue } }
    #expect(shared?.count == 3)
    #expect(Set(shared?.map(\.storageIdentifier) ?? []).count == 1)
  }

  @Test func nestedValues() throws {
    let loaded = try TorchFile.load(reference("values.pt"))
    var dictionary = try #require(loaded.dictionaryValue)
    #expect(try dictionary["parameter"]?.tensorValue?.array(as: Float.self) == [1, 2])
    dictionary["parameter"] = nil
    #expect(dictionary["ordered"]?.dictionaryValue?.isOrderedDict == true)
    #expect(dictionary["nested"]?.dictionaryValue?.isOrderedDict == false)
    #expect(dictionary["list"]?.listValue?.map(\.kind) == ["int", "str", "float", "None", "list"])
    let description = try #require(expected["values.pt"]?["values"])
    #expect(mismatch(.dictionary(dictionary), description) == nil)
  }

  @Test func lightningCheckpoint() throws {
    let loaded = try TorchFile.load(reference("digits-mlp.ckpt"))
    let description = try #require(expected["digits-mlp.ckpt"])
    let keys = try #require(loaded.dictionaryValue).keys
    #expect(keys == description["keys"]?.elements?.compactMap { $0.string.map { .string($0) } })
    #expect(loaded["global_step"]?.intValue == description["global_step"]?.int)
    #expect(loaded["hyper_parameters"]?["learning_rate"]?.doubleValue == 0.001)
    #expect(loaded["callbacks"]?.dictionaryValue?.keys.first?.description.contains("ModelCheckpoint{") == true)
    let optimizer = try #require(loaded["optimizer_states"]?.listValue?.first)
    let group = try #require(optimizer["param_groups"]?.listValue?.first)
    #expect(group["betas"]?.listValue?.compactMap(\.doubleValue) == [0.9, 0.999])
    #expect(group["betas"]?.kind == "tuple")
    #expect(group["fused"]?.isNone == true)
    for (name, summary) in try #require(description["weights"]).members {
      try check(loaded["state_dict"]?[name], summary, name)
    }
    for (index, entry) in try #require(description["optimizer_state"]).members {
      let number = try #require(Int(index))
      let state = try #require(optimizer["state"]?.dictionaryValue?[number])
      for (name, summary) in entry.members { try check(state[name], summary, "\(index).\(name)") }
    }
  }

  @Test(arguments: ["state-dict.pt", "values.pt", "digits-mlp.ckpt"])
  func whatPythonWroteSurvivesOurWriter(_ name: String) throws {
    let folder = try TemporaryFolder()
    let loaded = try TorchFile.load(reference(name))
    try TorchFile.save(loaded, to: folder.file(name))
    #expect(difference(loaded, try TorchFile.load(folder.file(name))) == nil)
  }

  /// The first elements to the last bit and the norm to 1e-5.
  private func check(_ value: ArchiveValue?, _ summary: ReferenceJSON, _ name: String) throws {
    let values = try #require(value?.tensorValue, "\(name)").array(as: Float.self)
    let first = try #require(summary["first"]?.numbers)
    #expect(values.prefix(first.count).map(Double.init) == first, "\(name)")
    let norm = values.reduce(0.0) { $0 + Double($1) * Double($1) }.squareRoot()
    let wanted = try #require(summary["l2"]?.number)
    #expect(abs(norm - wanted) <= 1e-5 * wanted, "\(name)")
  }

  /// Where a value is not what `describe` in `files.py` says: tuples and dictionaries are tagged, lists are not.
  private func mismatch(_ value: ArchiveValue, _ json: ReferenceJSON) -> String? {
    switch (value, json) {
    case (.none, .null): return nil
    case (.bool(let left), .bool(let right)) where left == right: return nil
    case (.int(let left), .int(let right)) where left == right: return nil
    case (.double(let left), _) where left == json.number: return nil
    case (.string(let left), .string(let right)) where left == right: return nil
    case (.list(let left), .array(let right)): return mismatch(left, right)
    case (.tuple(let left), .object(let members)): return mismatch(left, members["tuple"]?.elements ?? [.null])
    case (.dictionary(let dictionary), .object(let members)):
      let pairs = members["dictionary"]?.elements?.compactMap(\.elements) ?? []
      let keys = dictionary.keys.map { key -> ArchiveValue in
        switch key {
        case .string(let text): .string(text)
        case .int(let number): .int(number)
        }
      }
      return mismatch(keys, pairs.map { $0[0] }) ?? mismatch(dictionary.values, pairs.map { $0[1] })
    default: return "\(value) against \(json)"
    }
  }

  private func mismatch(_ values: [ArchiveValue], _ elements: [ReferenceJSON]) -> String? {
    guard values.count == elements.count else { return "\(values) against \(elements)" }
    return zip(values, elements).lazy.compactMap { mismatch($0, $1) }.first
  }
}
