internal import Torch

/// Values by the keys that lead to them.
struct PathTree {
  private(set) var value: ArchiveValue = .dictionary(ArchiveDictionary())

  mutating func set(_ leaf: ArchiveValue, at path: [ArchiveDictionary.Key]) {
    value = Self.setting(leaf, at: path[...], in: value)
  }

  private static func setting(
    _ leaf: ArchiveValue, at path: ArraySlice<ArchiveDictionary.Key>, in value: ArchiveValue
  ) -> ArchiveValue {
    guard let first = path.first else { return leaf }
    var dictionary = value.dictionaryValue ?? ArchiveDictionary()
    dictionary[first] = setting(leaf, at: path.dropFirst(), in: dictionary[first] ?? .dictionary([:]))
    return .dictionary(dictionary)
  }
}

/// Turns what other programs save under names into the contents of a checkpoint of Lightning's.
enum NamedCheckpoint {
  /// - Parameters:
  ///   - saved: with the tensors of the module under `state_dict` or `model`, those of optimizers under `optimizer_0` and
  ///     so on; without either a state dictionary.
  ///   - rest: everything else of the checkpoint.
  static func contents(_ saved: ArchiveDictionary, _ rest: ArchiveDictionary) -> ArchiveDictionary {
    var contents = rest
    guard let key = ["state_dict", "model", "app.model"].first(where: { saved[$0]?.dictionaryValue != nil }) else {
      contents["state_dict"] = .dictionary(flattened(saved))
      return contents
    }
    contents["state_dict"] = .dictionary(flattened(saved[key]?.dictionaryValue ?? [:]))
    var optimizers: [Int: ArchiveValue] = [:]
    for (name, value) in saved where name.text != key {
      if name.text.hasPrefix("optimizer_"), let number = Int(name.text.dropFirst("optimizer_".count)) {
        optimizers[number] = optimizer(value)
      } else if name.text == "optimizer" || name.text == "optim" {
        optimizers[0] = optimizer(value)
      } else {
        contents[name] = value
      }
    }
    if !optimizers.isEmpty { contents["optimizer_states"] = .list(optimizers.keys.sorted().map { optimizers[$0]! }) }
    return contents
  }

  /// The tensors of nested dictionaries under keys with points.
  private static func flattened(_ dictionary: ArchiveDictionary) -> ArchiveDictionary {
    var result = ArchiveDictionary()
    result.isOrderedDict = true
    func add(_ value: ArchiveValue, _ key: String) {
      guard let inner = value.dictionaryValue else {
        result[key] = value
        return
      }
      for (name, value) in inner { add(value, key.isEmpty ? name.text : "\(key).\(name.text)") }
    }
    add(.dictionary(dictionary), "")
    return result
  }

  /// The state of an optimizer whose parameters have names, numbered as PyTorch does without them.
  static func optimizer(_ value: ArchiveValue) -> ArchiveValue {
    guard var own = value.dictionaryValue else { return value }
    var numbers: [String: Int] = [:]
    var groups: [ArchiveValue] = []
    for group in list(own["param_groups"]) {
      guard var entries = group.dictionaryValue, let parameters = entries["params"].map(list),
        parameters.allSatisfy({ $0.stringValue != nil })
      else {
        groups.append(group)
        continue
      }
      let names = parameters.compactMap(\.stringValue)
      for name in names where numbers[name] == nil { numbers[name] = numbers.count }
      entries["params"] = .list(names.map { .int(numbers[$0] ?? 0) })
      entries["param_names"] = .list(names.map { .string($0) })
      groups.append(.dictionary(entries))
    }
    var states: [Int: ArchiveValue] = [:]
    for (key, state) in own["state"]?.dictionaryValue ?? [:] {
      switch key {
      case .int(let number): states[number] = state
      case .string(let name):
        if numbers[name] == nil { numbers[name] = Int(name) ?? numbers.count }
        states[numbers[name]!] = state
      }
    }
    var sorted = ArchiveDictionary()
    for number in states.keys.sorted() { sorted[number] = states[number] }
    own["state"] = .dictionary(sorted)
    own["param_groups"] = .list(groups)
    return .dictionary(own)
  }

  /// A list, also one that was saved element by element under numbers.
  private static func list(_ value: ArchiveValue?) -> [ArchiveValue] {
    if let list = value?.listValue { return list }
    guard let dictionary = value?.dictionaryValue else { return [] }
    return dictionary.compactMap { key, value -> (Int, ArchiveValue)? in
      guard case .int(let number) = key else { return nil }
      return (number, value)
    }.sorted { $0.0 < $1.0 }.map(\.1)
  }
}
