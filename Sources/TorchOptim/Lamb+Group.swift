import Glibc
public import Torch
public import TorchNN

extension Lamb {
  /// Parameters that LAMB updates with the same options.
  public final class Group: MomentGroup {
    /// Whether the step size makes up for averages that begin at 0.
    public var biasCorrection: Bool
    /// The limits of the trust ratio; above 0.
    public var ratios: ClosedRange<Double>

    private var stepCounts: [Int]
    private var averages: [Tensor?]
    private var squareAverages: [Tensor?]

    /// Creates a group.
    public init(
      _ parameters: [AnyParameter], names: [String] = [], learningRate: Double = 1e-3,
      betas: (Double, Double) = (0.9, 0.999), epsilon: Double = 1e-8, weightDecay: Double = 0,
      biasCorrection: Bool = true, ratios: ClosedRange<Double> = 0.01...10
    ) {
      self.biasCorrection = biasCorrection
      self.ratios = ratios
      stepCounts = Array(repeating: 0, count: parameters.count)
      averages = Array(repeating: nil, count: parameters.count)
      squareAverages = Array(repeating: nil, count: parameters.count)
      super.init(
        parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay)
    }

    /// The direction of each parameter that has a gradient; its averages are up to date afterwards.
    func makeUpdates() -> [Tensor?] {
      parameters.indices.map { position in
        let tensor = parameters[position].tensor
        guard let gradient = tensor.gradient else { return nil }
        let average = averages[position] ?? Aten.zeros_like(tensor)
        let squareAverage = squareAverages[position] ?? Aten.zeros_like(tensor)
        averages[position] = average
        squareAverages[position] = squareAverage
        stepCounts[position] += 1
        Aten.lerp_(average, end: gradient, weight: Scalar(1 - betas.0))
        Aten.mul_(squareAverage, other: Scalar(betas.1))
        Aten.addcmul_(squareAverage, tensor1: gradient, tensor2: gradient, value: Scalar(1 - betas.1))
        let update = Aten.div(average, other: Aten.add(Aten.sqrt(squareAverage), other: Scalar(epsilon)))
        if weightDecay != 0 { Aten.add_(update, other: tensor, alpha: Scalar(weightDecay)) }
        return update
      }
    }

    /// The trust ratio for the norms of a parameter and of its update.
    func ratio(parameter: Double, update: Double) -> Double {
      guard parameter != 0, update != 0 else { return 1 }
      return min(max(parameter / update, ratios.lowerBound), ratios.upperBound)
    }

    func apply(_ update: Tensor, at position: Int, ratio: Double) {
      var size = learningRate
      if biasCorrection {
        let count = Double(stepCounts[position])
        size *= (1 - pow(betas.1, count)).squareRoot() / (1 - pow(betas.0, count))
      }
      Aten.add_(parameters[position].tensor, other: update, alpha: Scalar(-size * ratio))
    }

    public override func options() -> ArchiveDictionary {
      [
        "lr": .double(learningRate), "bias_correction": .bool(biasCorrection),
        "betas": .tuple([.double(betas.0), .double(betas.1)]), "eps": .double(epsilon),
        "weight_decay": .double(weightDecay), "max_coeff": .double(ratios.upperBound),
        "min_coeff": .double(ratios.lowerBound),
      ]
    }

    public override func readOptions(_ reader: inout StateReader) {
      super.readOptions(&reader)
      reader.read("bias_correction", into: &biasCorrection)
      var (least, most) = (ratios.lowerBound, ratios.upperBound)
      reader.read("min_coeff", into: &least)
      reader.read("max_coeff", into: &most)
      if least <= most {
        ratios = least...most
      } else {
        reader.report("'min_coeff' is \(least), above 'max_coeff' \(most)")
      }
    }

    public override func problems() -> [String] {
      var problems = super.problems()
      if !(ratios.lowerBound > 0) {
        problems.append("the trust ratio may be as small as \(ratios.lowerBound); give a range above 0")
      }
      if maximize { problems.append("maximize is true; LAMB descends only") }
      return problems
    }

    func state(of position: Int) -> ArchiveDictionary {
      guard let average = averages[position], let squareAverage = squareAverages[position] else { return [:] }
      return [
        "step": .tensor(Tensor(Double(stepCounts[position]), dtype: .float32)), "exp_avg": .tensor(average),
        "exp_avg_sq": .tensor(squareAverage),
      ]
    }

    func setState(_ reader: inout StateReader, of position: Int, dryRun: Bool) {
      if reader.entries.isEmpty {
        guard !dryRun else { return }
        averages[position] = nil
        squareAverages[position] = nil
        stepCounts[position] = 0
        return
      }
      let parameter = parameters[position].tensor
      let average = reader.tensor("exp_avg", like: parameter, isOptional: false, dryRun: dryRun)
      let squareAverage = reader.tensor("exp_avg_sq", like: parameter, isOptional: false, dryRun: dryRun)
      let count = reader.stepCount()
      guard !dryRun else { return }
      averages[position] = average
      squareAverages[position] = squareAverage
      stepCounts[position] = count
    }
  }
}
