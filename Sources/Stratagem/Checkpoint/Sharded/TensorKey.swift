internal import Torch

/// Where a tensor or number belongs in a checkpoint.
enum TensorKey: Hashable, CustomStringConvertible {
  /// A tensor of the module.
  case module(String)
  /// State that an optimizer keeps for a parameter.
  ///
  /// - parameter: its name, or its number where names are not known.
  case optimizer(Int, index: Int, parameter: String, state: String)

  /// The key in a manifest: that of the state dictionary, or `optimizers.{number}.{parameter}.{state}`.
  var description: String {
    switch self {
    case .module(let key): key
    case .optimizer(let number, _, let parameter, let state): "optimizers.\(number).\(parameter).\(state)"
    }
  }
}

/// Takes the tensors of module and optimizers out of the contents of a checkpoint.
struct CheckpointParts {
  /// What is left: everything but these tensors.
  private(set) var common: ArchiveDictionary
  private(set) var tensors: [(key: TensorKey, tensor: Tensor)] = []
  /// State of optimizers that is no tensor.
  private(set) var values: [(key: TensorKey, value: ArchiveValue)] = []

  init(_ contents: ArchiveDictionary) {
    common = contents
    takeWeights(contents)
    takeOptimizers(contents)
  }

  private mutating func takeWeights(_ contents: ArchiveDictionary) {
    guard let weights = contents["state_dict"]?.dictionaryValue else { return }
    var rest = ArchiveDictionary()
    rest.isOrderedDict = weights.isOrderedDict
    for (key, value) in weights {
      if case .string(let name) = key, case .tensor(let tensor) = value {
        tensors.append((.module(name), tensor))
      } else {
        rest[key] = value
      }
    }
    common["state_dict"] = .dictionary(rest)
  }

  private mutating func takeOptimizers(_ contents: ArchiveDictionary) {
    guard let optimizers = contents["optimizer_states"]?.listValue else { return }
    var rest: [ArchiveValue] = []
    for (number, optimizer) in optimizers.enumerated() {
      guard var own = optimizer.dictionaryValue, let states = own["state"]?.dictionaryValue else {
        rest.append(optimizer)
        continue
      }
      let names = Self.parameterNames(of: own)
      var left = ArchiveDictionary()
      for (key, value) in states {
        guard case .int(let index) = key, let entries = value.dictionaryValue else {
          left[key] = value
          continue
        }
        var kept = ArchiveDictionary()
        for (name, value) in entries {
          guard case .string(let name) = name else { continue }
          let key = TensorKey.optimizer(number, index: index, parameter: names[index] ?? "\(index)", state: name)
          switch value {
          case .tensor(let tensor): tensors.append((key, tensor))
          case .none, .bool, .int, .double, .string: values.append((key, value))
          case .list, .tuple, .dictionary: kept[name] = value
          }
        }
        if !kept.isEmpty { left[index] = .dictionary(kept) }
      }
      own["state"] = .dictionary(left)
      rest.append(.dictionary(own))
    }
    common["optimizer_states"] = .list(rest)
  }

  /// The names that the groups of an optimizer's state give its parameters (`param_names`, as in PyTorch), by number.
  static func parameterNames(of optimizer: ArchiveDictionary) -> [Int: String] {
    var names: [Int: String] = [:]
    for group in optimizer["param_groups"]?.listValue ?? [] {
      let numbers = group["params"]?.listValue?.compactMap(\.intValue) ?? []
      let texts = group["param_names"]?.listValue?.compactMap(\.stringValue) ?? []
      if numbers.count == texts.count { names.merge(zip(numbers, texts)) { first, _ in first } }
    }
    return names
  }
}
