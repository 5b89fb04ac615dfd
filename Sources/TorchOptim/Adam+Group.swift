public import Torch
public import TorchNN

extension Adam {
  /// Parameters that Adam updates with the same options.
  public final class Group: MomentGroup {
    /// Whether to divide by the largest average of squares seen so far
    /// ([On the Convergence of Adam and Beyond](https://openreview.net/forum?id=ryQu7f-RZ)).
    public var amsgrad: Bool {
      didSet { liveState = nil }
    }
    /// Whether weight decay shrinks the parameter instead of adding to the gradient; set by ``AdamW``.
    public internal(set) var decoupledWeightDecay = false

    /// The number of steps each parameter has taken.
    var stepCounts: [Int]
    var averages: [Tensor?]
    var squareAverages: [Tensor?]
    var largestSquareAverages: [Tensor?]
    /// The step counts as float32 on the device: one tensor, so that one operation counts all, and a view of each
    /// element.
    var steps: Tensor?
    var stepViews: [Tensor] = []
    var live = LiveParameters()
    /// The state of the live parameters; `nil` when it must be collected anew.
    var liveState: LiveState?

    /// State in the order of the live parameters, as a fused call takes it.
    struct LiveState {
      var averages: [Tensor] = []
      var squareAverages: [Tensor] = []
      var largestSquareAverages: [Tensor] = []
      var steps: [Tensor] = []
    }

    /// Creates a group.
    public init(
      _ parameters: [AnyParameter], names: [String] = [], learningRate: Double = 1e-3,
      betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0, amsgrad: Bool = false,
      maximize: Bool = false
    ) {
      self.amsgrad = amsgrad
      stepCounts = Array(repeating: 0, count: parameters.count)
      averages = Array(repeating: nil, count: parameters.count)
      squareAverages = Array(repeating: nil, count: parameters.count)
      largestSquareAverages = Array(repeating: nil, count: parameters.count)
      super.init(
        parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
        maximize: maximize)
    }

    public override func options() -> ArchiveDictionary {
      [
        "lr": .double(learningRate), "betas": .tuple([.double(betas.0), .double(betas.1)]), "eps": .double(epsilon),
        "weight_decay": .double(weightDecay), "amsgrad": .bool(amsgrad), "maximize": .bool(maximize),
        "foreach": .none, "capturable": .bool(false), "differentiable": .bool(false), "fused": .none,
        "decoupled_weight_decay": .bool(decoupledWeightDecay),
      ]
    }

    public override func readOptions(_ reader: inout StateReader) {
      super.readOptions(&reader)
      reader.readIfPresent("amsgrad", into: &amsgrad)
      var decoupled = decoupledWeightDecay
      reader.readIfPresent("decoupled_weight_decay", into: &decoupled)
      if decoupled != decoupledWeightDecay {
        reader.report(
          "it was saved by \(decoupled ? "AdamW" : "Adam"), whose weight decay is "
            + "\(decoupled ? "decoupled" : "added to the gradient"); load it into \(decoupled ? "AdamW" : "Adam")")
      }
    }

    func state(of position: Int) -> ArchiveDictionary {
      guard let average = averages[position], let squareAverage = squareAverages[position] else { return [:] }
      var state: ArchiveDictionary = [
        "step": .tensor(Tensor(Double(stepCounts[position]), dtype: .float32)), "exp_avg": .tensor(average),
        "exp_avg_sq": .tensor(squareAverage),
      ]
      if let largest = largestSquareAverages[position] { state["max_exp_avg_sq"] = .tensor(largest) }
      return state
    }

    func setState(_ reader: inout StateReader, of position: Int, dryRun: Bool) {
      if reader.entries.isEmpty {
        if !dryRun { forget(position) }
        return
      }
      let parameter = parameters[position].tensor
      let average = reader.tensor("exp_avg", like: parameter, isOptional: false, dryRun: dryRun)
      let squareAverage = reader.tensor("exp_avg_sq", like: parameter, isOptional: false, dryRun: dryRun)
      let largest = reader.tensor("max_exp_avg_sq", like: parameter, isOptional: !amsgrad, dryRun: dryRun)
      let count = reader.stepCount()
      guard !dryRun else { return }
      averages[position] = average
      squareAverages[position] = squareAverage
      largestSquareAverages[position] = amsgrad ? largest : nil
      stepCounts[position] = count
      steps = nil
      liveState = nil
    }

    private func forget(_ position: Int) {
      averages[position] = nil
      squareAverages[position] = nil
      largestSquareAverages[position] = nil
      stepCounts[position] = 0
      steps = nil
      liveState = nil
    }
  }
}
