internal import OrderedCollections
public import Torch

/// Settings of a program's own, each with a default.
///
/// They are read over the defaults: what a configuration leaves out keeps its default, and a key that is no property is
/// refused.
public protocol ConfigurationSection: Codable, Sendable {
  /// Makes the defaults.
  init()
}

/// The hyper-parameters of a model, which configurations set under `model` and command lines as `--model.NAME=VALUE`.
///
/// ```swift
/// struct HyperParameters: ModelHyperParameters {
///   var hidden = 128
///   var dropout = 0.1
/// }
/// ```
public protocol ModelHyperParameters: ConfigurationSection {}

/// Those of a model that has none to set.
public struct NoHyperParameters: ConfigurationSection {
  public init() {}
}

extension ConfigurationSection {
  /// The settings as `hyper_parameters` of a checkpoint, under their own names.
  public var archive: ArchiveDictionary {
    guard let map = try? ConfigEncoder.encode(self).map else { return [:] }
    return Self.archive(map)
  }

  private static func archive(_ map: ConfigNode.Map) -> ArchiveDictionary {
    var archive = ArchiveDictionary()
    for (key, node) in map { archive[key] = value(node) }
    return archive
  }

  private static func value(_ node: ConfigNode) -> ArchiveValue {
    switch node.content {
    case .map(let map): return .dictionary(archive(map))
    case .list(let list): return .list(list.map(value))
    case .scalar(let scalar):
      if scalar.isQuoted { return .string(scalar.text) }
      if scalar.isNull { return ArchiveValue.none }
      if let integer = scalar.integer(Int.self) { return .int(integer) }
      return scalar.bool.map { .bool($0) } ?? scalar.double.map { .double($0) } ?? .string(scalar.text)
    }
  }
}

extension OptimizerSettings {
  /// These settings and a model's own, as `hyper_parameters` of a checkpoint.
  public func archive(with hyperParameters: some ConfigurationSection) -> ArchiveDictionary {
    var archive = archive
    for (key, value) in hyperParameters.archive { archive[key] = value }
    return archive
  }
}
