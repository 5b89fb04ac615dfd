/// A Python class or function that a pickle may name. Nothing is ever executed: each stands for data of a known form.
enum PickleGlobal {
  /// `_rebuild_tensor_v2` or, with the type among its arguments, `_rebuild_tensor_v3`.
  case rebuildTensor(isTyped: Bool)
  /// A function whose first argument is the tensor.
  case rebuildParameter
  /// `_rebuild_from_type_v2(function, type, arguments, state)`: a tensor with Python attributes.
  case rebuildFromType
  /// A storage class; `nil` for bytes without a type.
  case storage(DType?)
  case orderedDict
  /// `torch.Size`: a tuple.
  case size
  /// `torch.device`, `pathlib.Path`: text.
  case text(separator: String)
  /// A class whose instances are a dictionary of values, by its name.
  case dictionaryClass(String)
  /// A class that the caller knows, whose instances hold what they were made of and their attributes.
  case instance(String)
  /// A name that is only mentioned, such as `torch.float32`.
  case name(String)

  /// `nil` for a name that is not known to be harmless.
  init?(module: String, name: String) {
    let path = "\(module).\(name)"
    if let known = Self.known[path] {
      self = known
    } else if module == "torch", let dtype = DType.allCases.first(where: { $0.storageClass == name }) {
      self = .storage(dtype)
    } else if module == "torch", DType(pythonName: name) != nil {
      self = .name(path)
    } else if name == "AttributeDict",
      module.hasPrefix("lightning.") || module.hasPrefix("lightning_fabric.")
        || module.hasPrefix("pytorch_lightning.")
    {
      self = .dictionaryClass(path)
    } else if module == "builtins" || module == "__builtin__",
      ["dict", "list", "tuple", "int", "float", "str", "bool", "long", "unicode"].contains(name)
    {
      // Protocol 2 writes Python 2's names.
      self = .name("builtins.\(["long": "int", "unicode": "str"][name] ?? name)")
    } else {
      return nil
    }
  }

  private static let known: [String: PickleGlobal] = [
    "torch._utils._rebuild_tensor_v2": .rebuildTensor(isTyped: false),
    "torch._utils._rebuild_tensor_v3": .rebuildTensor(isTyped: true),
    "torch._utils._rebuild_parameter": .rebuildParameter,
    "torch._utils._rebuild_parameter_with_state": .rebuildParameter,
    "torch._tensor._rebuild_from_type_v2": .rebuildFromType,
    "torch.storage.UntypedStorage": .storage(nil),
    "torch.UntypedStorage": .storage(nil),
    "torch.Tensor": .name("torch.Tensor"),
    "torch.nn.parameter.Parameter": .name("torch.nn.parameter.Parameter"),
    "torch.nn.parameter.Buffer": .name("torch.nn.parameter.Buffer"),
    "torch.Size": .size,
    "torch.device": .text(separator: ":"),
    "pathlib.PosixPath": .text(separator: "/"),
    "pathlib.PurePosixPath": .text(separator: "/"),
    "collections.OrderedDict": .orderedDict,
    "collections.defaultdict": .dictionaryClass("collections.defaultdict"),
    "collections.Counter": .dictionaryClass("collections.Counter"),
    "argparse.Namespace": .dictionaryClass("argparse.Namespace"),
    "types.SimpleNamespace": .dictionaryClass("types.SimpleNamespace"),
  ]
}

extension DType {
  /// The type of Python's name in the `torch` module.
  init?(pythonName: String) {
    guard let dtype = DType.allCases.first(where: { $0 != .undefined && $0.description == pythonName }) else {
      return nil
    }
    self = dtype
  }
}
