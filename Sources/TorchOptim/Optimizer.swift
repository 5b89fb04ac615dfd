public import Torch
public import TorchNN

/// The base of everything that updates parameters from their gradients.
///
/// A subclass overrides ``update(_:)`` and, when it keeps state, ``state(of:in:)`` and ``setState(_:of:in:)``; what
/// PyTorch calls `state_dict` and `load_state_dict` then works in PyTorch's layout.
///
/// ```swift
/// let optimizer = SGD(model, learningRate: 0.1, momentum: 0.9)
/// loss.backward()
/// optimizer.step()
/// optimizer.zeroGradients()
/// ```
open class Optimizer {
  /// The groups, in the order in which their parameters are numbered.
  public let parameterGroups: [ParameterGroup]

  /// Creates an optimizer of at least one parameter.
  ///
  /// Options out of range, no parameters at all, or a parameter given twice are recorded as a `TorchError`.
  public init(groups: [ParameterGroup]) {
    parameterGroups = groups
    let problems = Self.problems(of: groups)
    if !problems.isEmpty {
      _ = Tensor.failed(operation: "\(type(of: self))", message: problems.joined(separator: "; "))
    }
  }

  /// Performs one optimization step with the gradients at hand.
  ///
  /// A parameter whose gradient is `nil` is left alone, its state included.
  open func step() {
    withoutGradients {
      for group in parameterGroups { update(group) }
    }
  }

  /// What makes a step in the place of ``step()``, where state is kept elsewhere; nil for the optimizer itself.
  package final var replacementStep: (() -> Void)?

  /// Performs a step as a strategy wants it: ``step()``, unless the state is kept elsewhere.
  public final func performStep() {
    if let replacementStep { replacementStep() } else { step() }
  }

  /// Updates one group; called by ``step()`` with gradient recording off.
  open func update(_ group: ParameterGroup) {
    preconditionFailure("\(type(of: self)) must override update(_:)")
  }

  /// Whether the step may be left out, and its gradients divided by a loss scale before it. False for an optimizer that
  /// computes gradients itself, as one that evaluates the loss several times a step does.
  open var supportsGradientScaling: Bool { true }

  /// Drops the gradients of all parameters, or fills them with zeros.
  ///
  /// - Parameter setToNone: drop them (the default): parameters without a gradient are skipped by the next step, and
  ///   the memory is free during the forward pass.
  public final func zeroGradients(setToNone: Bool = true) {
    if setToNone {
      for group in parameterGroups {
        for parameter in group.parameters { parameter.gradient = nil }
      }
    } else {
      withoutGradients {
        for group in parameterGroups {
          for parameter in group.parameters { parameter.gradient?.zero() }
        }
      }
    }
  }

  /// Multiplies the learning rates of all groups, and those that schedules keep in them.
  package final func scaleLearningRates(by factor: Double) {
    for group in parameterGroups {
      group.learningRate *= factor
      for key in ["initial_lr", "max_lr", "min_lr"] {
        if let rate = group.annotations[key]?.doubleValue { group.annotations[key] = .double(rate * factor) }
      }
    }
  }

  /// All parameters, group after group.
  public final var parameters: [AnyParameter] { parameterGroups.flatMap(\.parameters) }

  /// The state kept for a parameter, by PyTorch's names; empty before its first update.
  ///
  /// - Parameters:
  ///   - position: which parameter of the group.
  ///   - group: one of ``parameterGroups``.
  open func state(of position: Int, in group: ParameterGroup) -> ArchiveDictionary { [:] }

  /// Takes over state that ``state(of:in:)`` returned, here or in PyTorch; tensors are copied.
  ///
  /// Reports to `reader` what does not fit. With `dryRun` nothing may be changed: ``load(_:)`` first checks everything.
  open func setState(
    _ reader: inout StateReader, of position: Int, in group: ParameterGroup, dryRun: Bool
  ) {}

  private static func problems(of groups: [ParameterGroup]) -> [String] {
    var problems: [String] = []
    var places: [ObjectIdentifier: String] = [:]
    var offset = 0
    for (index, group) in groups.enumerated() {
      problems += group.problems().map { groups.count > 1 ? "group \(index): \($0)" : $0 }
      for (position, parameter) in group.parameters.enumerated() {
        let label = group.label(position, offset: offset)
        if let first = places.updateValue(label, forKey: ObjectIdentifier(parameter)) {
          problems.append("\(label) is the same as \(first); give each parameter once")
        }
      }
      offset += group.parameters.count
    }
    if offset == 0 { problems.append("there are no parameters to optimize") }
    return problems
  }
}
