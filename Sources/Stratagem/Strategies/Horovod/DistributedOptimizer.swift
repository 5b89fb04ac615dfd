internal import Torch
internal import TorchDistributed
public import TorchNN
public import TorchOptim

/// An optimizer whose gradients are reduced over the ranks before it steps, as Horovod's `DistributedOptimizer`.
///
/// A hook on each parameter submits its gradient as soon as backward has it; gradients are fused into buffers, and a buffer
/// crosses the ranks while backward goes on. ``HorovodStrategy`` wraps every optimizer of a run in one. By hand:
///
/// ```swift
/// let optimizer = try DistributedOptimizer(
///   SGD(model, learningRate: 0.1), named: model.namedParameters(), in: ProcessSet(group))
/// loss.backward()
/// try optimizer.synchronize()  // only to look at the gradients, or to clip them
/// try optimizer.step()
/// try optimizer.zeroGradients()
/// ```
///
/// A parameter without a gradient contributes zeros; without one on any rank it stays without. All ranks must make the same
/// calls; ranks with other tensors get an error that names them.
public final class DistributedOptimizer {
  public struct Options: Sendable, Hashable {
    public var operation = HorovodOperation.average
    public var compression = GradientCompression.none
    /// The most bytes of gradients that cross the ranks together; 0 for each by itself.
    public var fusionThreshold = 128 << 20
    /// For the average: gradients are divided by it before they are summed up, and by the rest afterwards.
    public var gradientPredivideFactor = 1.0

    public init() {}
  }

  /// The optimizer that steps.
  public let base: Optimizer
  public let options: Options
  public let processSet: ProcessSet
  /// Backward passes whose gradients are added up before they are reduced.
  public var backwardPassesPerStep: Int
  /// Whether the gradients are reduced, and none was computed since.
  public internal(set) var isSynchronized = false

  /// What is known of a parameter.
  struct Slot {
    let name: String
    let parameter: AnyParameter
    var tensor: Tensor?
    var hook: GradientHook?
    /// Its buffer in the plan; nil when it is not trained.
    var buffer: Int?
    var passes = 0
    /// Whether its gradient of this step was submitted.
    var isReady = false
  }

  var slots: [Slot]
  var buffers: [FusionBuffer] = []
  /// The first buffer that has not been launched in this step.
  var nextBuffer = 0
  /// Whether a gradient of this step has come, so that the plan of the step stands.
  var hasBegun = false
  var isAnnounced = false
  var isAgreed = false
  /// Whether the next backward pass is the last one of the step, whatever the number of passes.
  var isLastPass = false
  /// Whether gradients are submitted during backward, or all together by ``synchronize()``.
  let submitsInBackward: Bool
  /// The order in which gradients were submitted, as long as the ranks have not agreed on that of rank 0.
  var arrivals: [Int]? = []
  var failure: (any Error)?
  var skipsSynchronization = false
  /// What all ranks must have alike.
  var fingerprint = 0
  let adasum: Adasum?

  /// Wraps an optimizer. Called on all ranks of the set.
  ///
  /// - Parameters:
  ///   - parameters: the parameters with their names; those that the optimizer does not have are left out. When left
  ///     out, the names that the optimizer's groups know.
  ///   - processSet: the ranks over which gradients are reduced; the others step with their own.
  ///   - backwardPassesPerStep: backward passes whose gradients are added up before they are reduced.
  /// - Throws: ``ConfigurationError`` for options that do not fit; ``HorovodError`` when the ranks have different tensors.
  public convenience init(
    _ base: Optimizer, named parameters: [(name: String, parameter: AnyParameter)]? = nil, in processSet: ProcessSet,
    options: Options = Options(), backwardPassesPerStep: Int = 1
  ) throws {
    try self.init(
      base, named: parameters, in: processSet, options: options, backwardPassesPerStep: backwardPassesPerStep,
      submitsInBackward: true, adasum: processSet.group.map { Adasum($0) })
  }

  init(
    _ base: Optimizer, named parameters: [(name: String, parameter: AnyParameter)]?, in processSet: ProcessSet,
    options: Options, backwardPassesPerStep: Int, submitsInBackward: Bool, adasum: Adasum?
  ) throws {
    self.base = base
    self.options = options
    self.processSet = processSet
    self.backwardPassesPerStep = backwardPassesPerStep
    self.submitsInBackward = submitsInBackward && options.operation != .adasum
    self.adasum = options.operation == .adasum ? adasum : nil
    slots = try DistributedOptimizer.slots(of: base, parameters)
    try check()
    if let group {
      let signatures = slots.map { TensorSignature($0.name, $0.parameter.tensor) }
      try TensorSignature.compare(signatures, "parameters to optimize", group, ranks: processSet.ranks)
    }
    arrange(Array(slots.indices.reversed()))
  }

  deinit { for slot in slots { slot.hook?.remove() } }

  /// The group over which there is something to reduce.
  var group: ProcessGroup? { processSet.size > 1 ? processSet.group : nil }

  private static func slots(
    of optimizer: Optimizer, _ parameters: [(name: String, parameter: AnyParameter)]?
  ) throws(ConfigurationError) -> [Slot] {
    var names: [ObjectIdentifier: String] = [:]
    var problems: [ConfigurationError.Problem] = []
    func report(_ message: String, _ suggestion: String) {
      problems.append(.init("parameters", message, suggestion: suggestion))
    }
    if let parameters {
      var known = Set<String>()
      for (name, parameter) in parameters {
        if !known.insert(name).inserted {
          report("two parameters have the name '\(name)'", "give each parameter a name of its own")
        }
        names[ObjectIdentifier(parameter)] = name
      }
    } else {
      for (index, group) in optimizer.parameterGroups.enumerated() {
        for (position, parameter) in group.parameters.enumerated() {
          names[ObjectIdentifier(parameter)] =
            group.names.isEmpty ? "group \(index).parameter \(position)" : group.names[position]
        }
      }
    }
    var unnamed = 0
    let slots = optimizer.parameters.map { parameter -> Slot in
      if names[ObjectIdentifier(parameter)] == nil { unnamed += 1 }
      return Slot(name: names[ObjectIdentifier(parameter)] ?? "", parameter: parameter)
    }
    if unnamed > 0 {
      report(
        "\(unnamed) of \(slots.count) parameters of \(type(of: optimizer)) have no name",
        "give the names of all of them: the parameters of an optimizer must belong to the module")
    }
    if let error = ConfigurationError(problems) { throw error }
    return slots
  }

  private func check() throws(ConfigurationError) {
    var problems = options.problems
    if backwardPassesPerStep < 1 {
      problems.append(
        .init(
          "backwardPassesPerStep", "backwardPassesPerStep is \(backwardPassesPerStep)", suggestion: "give at least 1"))
    }
    for slot in slots {
      guard let reason = options.compression.refusal(of: slot.parameter.tensor.dtype) else { continue }
      problems.append(
        .init(
          "compression",
          "compression .\(options.compression) cannot be used for parameter '\(slot.name)' of type "
            + "\(slot.parameter.tensor.dtype): \(reason)", suggestion: "write compression: .none, or another format"))
      break
    }
    if options.operation == .adasum {
      if processSet.number != 0 {
        problems.append(
          .init("operation", "Adasum works on all ranks only", suggestion: "leave the process set out"))
      } else if adasum == nil || adasum?.isPossible == false {
        problems.append(DistributedOptimizer.adasumProblem(processSet.size, "ranks"))
      }
    }
    if let error = ConfigurationError(problems) { throw error }
  }

  /// What is wrong with Adasum on a number of ranks or nodes.
  static func adasumProblem(_ count: Int, _ what: String) -> ConfigurationError.Problem {
    var lower = 1
    while lower * 2 <= count { lower *= 2 }
    return .init(
      "operation", "Adasum needs a power of two of \(what), and there are \(count)",
      suggestion: "use \(lower) or \(lower * 2), or operation: .average")
  }
}

extension DistributedOptimizer.Options {
  /// What is wrong with the options themselves.
  var problems: [ConfigurationError.Problem] {
    var problems: [ConfigurationError.Problem] = []
    if fusionThreshold < 0 {
      problems.append(
        .init(
          "fusionThreshold", "fusionThreshold is \(fusionThreshold)",
          suggestion: "give a number of bytes, or 0 for no fusion"))
    }
    if !(gradientPredivideFactor > 0 && gradientPredivideFactor.isFinite) {
      problems.append(
        .init(
          "gradientPredivideFactor", "gradientPredivideFactor is \(gradientPredivideFactor)",
          suggestion: "give a number above 0"))
    } else if gradientPredivideFactor != 1, operation != .average {
      problems.append(
        .init(
          "gradientPredivideFactor",
          "gradientPredivideFactor is \(gradientPredivideFactor), but the operation is .\(operation), which does not divide",
          suggestion: "leave it out, or use operation: .average"))
    }
    return problems
  }
}
