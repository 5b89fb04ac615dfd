public import Torch
public import TorchNN

/// Parameters that an optimizer updates with the same options.
///
/// Each optimizer has its own kind of group with typed options (`SGD.Group`, `Adam.Group`). Options may change between
/// steps; schedules change `learningRate`.
open class ParameterGroup {
  /// The parameters, in the order in which their state is numbered.
  public let parameters: [AnyParameter]
  /// The name of each parameter for messages; empty when the group was made from bare parameters.
  public let names: [String]
  /// The step size, in units of parameter per unit of gradient; at least 0.
  public var learningRate: Double
  /// The L2 coefficient (SGD, Adam) or the rate of decoupled decay (AdamW); at least 0.
  public var weightDecay: Double
  /// Whether the step climbs the objective instead of descending.
  public var maximize: Bool
  /// What schedules keep in the group (`initial_lr`, `max_lr`, ...), written to and read from the state dictionary.
  public var annotations = ArchiveDictionary()

  /// Creates a group.
  ///
  /// - Parameters:
  ///   - parameters: what to update; a parameter may be in one group only.
  ///   - names: one name per parameter, or none.
  public init(
    _ parameters: [AnyParameter], names: [String] = [], learningRate: Double, weightDecay: Double = 0,
    maximize: Bool = false
  ) {
    self.parameters = parameters
    self.names = names.count == parameters.count ? names : []
    self.learningRate = learningRate
    self.weightDecay = weightDecay
    self.maximize = maximize
  }

  /// The momentum that schedules cycle: SGD's momentum, Adam's first beta; `nil` when the optimizer has none.
  open var momentumCoefficient: Double? {
    get { nil }
    set {}
  }

  /// Whether `momentumCoefficient` is the first of two betas.
  open var cyclesBeta: Bool { false }

  /// The options by PyTorch's names, in PyTorch's order, without `params`.
  open func options() -> ArchiveDictionary {
    ["lr": .double(learningRate), "weight_decay": .double(weightDecay), "maximize": .bool(maximize)]
  }

  /// Reads the options that ``options()`` writes; a missing or mistyped one keeps its value and is reported.
  open func readOptions(_ reader: inout StateReader) {
    reader.read("lr", into: &learningRate)
    reader.read("weight_decay", into: &weightDecay)
    reader.readIfPresent("maximize", into: &maximize)
  }

  /// The problems of the options, one sentence each; empty when all are in range.
  open func problems() -> [String] {
    var problems: [String] = []
    if !(learningRate >= 0) { problems.append("learningRate is \(learningRate); give a number that is at least 0") }
    if !(weightDecay >= 0) { problems.append("weightDecay is \(weightDecay); give a number that is at least 0") }
    return problems
  }

  /// How messages call the parameter at `position`, `offset` being the number of the group's first parameter.
  package func label(_ position: Int, offset: Int) -> String {
    names.isEmpty ? "parameter \(offset + position)" : "parameter \(offset + position) '\(names[position])'"
  }
}
