internal import Stratagem
internal import Torch

/// A checkpoint for scripts.
struct CheckpointJSON {
  private let file: CheckpointContents
  private let listsAll: Bool

  init(_ file: CheckpointContents, listsAll: Bool) {
    self.file = file
    self.listsAll = listsAll
  }

  var tree: JSONTree {
    var members: [(String, JSONTree)] = [
      ("path", .text(file.path)), ("format", .text(file.format)), ("bytes", .number(file.byteCount)),
    ]
    members += file.facts.map { ($0.name, .scalar($0.value)) }
    if file.isCheckpoint {
      members.append(("hyper_parameters", Self.tree(.dictionary(file.hyperParameters))))
      members.append(("callbacks", Self.tree(.dictionary(file.callbacks))))
      members.append(("optimizers", .list(file.optimizers.map(Self.tree))))
      members.append(("lr_schedulers", .list(file.schedulers.map(Self.tree))))
      members.append(("other_keys", .list(file.otherKeys.map { .text($0) })))
    }
    if !file.metadata.isEmpty {
      members.append(("metadata", .object(file.metadata.sorted { $0.key < $1.key }.map { ($0.key, .text($0.value)) })))
    }
    let listed = listsAll ? file.entries : file.weights
    members.append(("tensors", .list(listed.map { Self.tree($0.path, $0.tensor) })))
    members.append(
      (
        "totals",
        .object([
          ("weights", .number(file.weights.count)),
          ("elements", .number(file.weights.reduce(0) { $0 + $1.tensor.count })),
          ("weight_bytes", .number(file.weights.reduce(0) { $0 + $1.tensor.byteCount })),
          ("tensors", .number(file.entries.count)),
          ("tensor_bytes", .number(file.entries.reduce(0) { $0 + $1.tensor.byteCount })),
        ])
      ))
    return .object(members)
  }

  private static func tree(_ path: String, _ tensor: Tensor) -> JSONTree {
    .object([
      ("key", .text(path)), ("shape", .list(tensor.shape.map { .number($0) })), ("dtype", .text("\(tensor.dtype)")),
      ("bytes", .number(tensor.byteCount)),
    ])
  }

  private static func tree(_ optimizer: OptimizerFacts) -> JSONTree {
    .object([
      ("kind", .text(optimizer.kind)),
      (
        "param_groups",
        .list(
          zip(optimizer.groups, optimizer.parameterCounts).map { group, count in
            .object(group.map { ($0.key.text, tree($0.value)) } + [("params", .number(count))])
          })
      ),
      ("state_tensors", .number(optimizer.stateTensors)), ("state_bytes", .number(optimizer.stateBytes)),
    ])
  }

  private static func tree(_ value: ArchiveValue) -> JSONTree {
    switch value {
    case .none: .scalar(.null)
    case .bool(let value): .flag(value)
    case .int(let value): .number(value)
    case .double(let value): .number(value)
    case .string(let value): .text(value)
    case .tensor(let tensor):
      .object([("shape", .list(tensor.shape.map { .number($0) })), ("dtype", .text("\(tensor.dtype)"))])
    case .list(let values), .tuple(let values): .list(values.map(tree))
    case .dictionary(let dictionary): .object(dictionary.map { ($0.key.text, tree($0.value)) })
    }
  }
}
