internal import Torch
internal import TorchDistributed
internal import TorchOptim

/// The models of the ranks while they differ: averaged now and then, and where somebody wants to see one model.
final class LocalModels {
  private let averager: any ModelAveraging
  private let group: ProcessGroup
  private let parameters: [Tensor]
  private var areEqual = true
  /// This rank's model, while the mean is in its place.
  private var own: [Tensor]?

  init(_ averager: any ModelAveraging, _ group: ProcessGroup, _ parameters: [Tensor]) {
    self.averager = averager
    self.group = group
    self.parameters = parameters
  }

  static func check(
    _ hook: PostLocalSGDHook, _ averager: any ModelAveraging, _ optimizers: [Optimizer]
  ) throws(ConfigurationError) {
    let warmup =
      (averager as? PeriodicModelAverager)?.warmupSteps ?? (averager as? HierarchicalModelAverager)?.warmupSteps
    if let warmup, warmup != hook.startStep {
      throw ConfigurationError(
        "modelAverager", "it begins after \(warmup) steps, and the local steps after \(hook.startStep)",
        suggestion: "give warmupSteps: \(hook.startStep)")
    }
    if optimizers.contains(where: { $0 is ZeroRedundancyOptimizer }) {
      throw ConfigurationError(
        "modelAverager", "models cannot be averaged when a ZeroRedundancyOptimizer updates each parameter on one rank",
        suggestion: "use the optimizer itself, or average gradients in each step")
    }
  }

  /// Called after each step of an optimizer.
  func didStep() throws { areEqual = try averager.average(parameters, in: group) }

  /// Puts the mean of all models in the place of this rank's.
  func showMean() throws {
    guard !areEqual, own == nil else { return }
    own = withoutGradients { parameters.map { $0.detached().clone() } }
    try group.average(parameters)
  }

  func hideMean() {
    guard let own else { return }
    withoutGradients { for (parameter, value) in zip(parameters, own) { parameter.detached().copy(from: value) } }
    self.own = nil
  }

  /// A state of the mean of all models.
  func withMean(_ state: () throws -> StateDictionary) throws -> StateDictionary {
    guard !areEqual, own == nil else { return try state() }
    try showMean()
    defer { hideMean() }
    return try state().mapValues { $0.clone() }
  }

  /// Gives all ranks the mean.
  func unite() throws {
    hideMean()
    if !areEqual { try group.average(parameters) }
    areEqual = true
  }
}

extension PostLocalSGDHook {
  /// The hook itself, or the one that a wrapper gives its gradients to.
  static func within(_ hook: (any CommunicationHook)?) -> PostLocalSGDHook? {
    (hook as? CompressionHook).map { within($0.base) } ?? (hook as? PostLocalSGDHook)
  }
}

extension ConfigurationError {
  /// Runs `body` and tells what a hook cannot do as a problem of the configuration.
  static func ofHooks(_ body: () throws -> Void) throws {
    do {
      try body()
    } catch let error as CommunicationHookError {
      throw ConfigurationError("communicationHook", "\(error.hook) \(error.problem)", suggestion: error.suggestion)
    }
  }
}
