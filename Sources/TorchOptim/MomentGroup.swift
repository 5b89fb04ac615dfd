public import Torch
public import TorchNN

/// Parameters of an optimizer that keeps running averages of the gradient and of its square: the options that ``Adam`` and
/// its kin have in common.
open class MomentGroup: ParameterGroup {
  /// How much of the running averages of the gradient and of its square a step keeps; each in 0..<1.
  public var betas: (Double, Double)
  /// What keeps the denominator away from 0; at least 0.
  public var epsilon: Double

  /// Creates a group; see ``ParameterGroup``.
  public init(
    _ parameters: [AnyParameter], names: [String], learningRate: Double, betas: (Double, Double), epsilon: Double,
    weightDecay: Double, maximize: Bool = false
  ) {
    self.betas = betas
    self.epsilon = epsilon
    super.init(parameters, names: names, learningRate: learningRate, weightDecay: weightDecay, maximize: maximize)
  }

  public final override var momentumCoefficient: Double? {
    get { betas.0 }
    set { betas.0 = newValue ?? betas.0 }
  }

  public final override var cyclesBeta: Bool { true }

  open override func options() -> ArchiveDictionary {
    [
      "lr": .double(learningRate), "betas": .tuple([.double(betas.0), .double(betas.1)]), "eps": .double(epsilon),
      "weight_decay": .double(weightDecay),
    ]
  }

  open override func readOptions(_ reader: inout StateReader) {
    super.readOptions(&reader)
    var saved = [betas.0, betas.1]
    reader.read("betas", into: &saved)
    if saved.count == 2 {
      betas = (saved[0], saved[1])
    } else {
      reader.report("'betas' should have 2 numbers, found \(saved.count)")
    }
    reader.read("eps", into: &epsilon)
  }

  open override func problems() -> [String] {
    var problems = super.problems()
    for (index, beta) in [betas.0, betas.1].enumerated() where !(0..<1).contains(beta) {
      problems.append("betas.\(index) is \(beta); give a number in 0..<1")
    }
    if !(epsilon >= 0) { problems.append("epsilon is \(epsilon); give a number that is at least 0") }
    return problems
  }
}
