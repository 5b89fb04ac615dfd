public import Stratagem
public import Torch

/// The hyper-parameters of a model, which configurations set under `model` and command lines as `--model.NAME=VALUE`.
///
/// They are read over the defaults: what a configuration leaves out keeps its default, and a key that is no property is
/// refused.
///
/// ```swift
/// struct HyperParameters: ModelHyperParameters {
///   var hidden = 128
///   var dropout = 0.1
/// }
/// ```
public protocol ModelHyperParameters: HyperParameterSet {}

/// Those of a model that has none to set.
public struct NoHyperParameters: HyperParameterSet {
  public init() {}
}

extension OptimizerSettings {
  /// These settings and a model's own, as `hyper_parameters` of a checkpoint.
  public func archive(with hyperParameters: some HyperParameterSet) -> ArchiveDictionary {
    var archive = archive
    for (key, value) in (try? hyperParameters.archive()) ?? [:] { archive[key] = value }
    return archive
  }
}
