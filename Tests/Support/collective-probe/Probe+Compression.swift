import Stratagem
import Torch
import TorchDistributed
import TorchNN

extension Probe {
  /// Twelve steps of a compressing optimizer, which the argument names, on two parameters whose gradients differ on the
  /// ranks; the values after each step.
  func compress() throws {
    let group = try group()
    let parameters = [15, 10].map { Parameter(wrappedValue: Tensor.zeros([$0], dtype: .float64)) }
    let optimizer = makeOptimizer(parameters, group)
    for step in 1...12 {
      let reduces = optimizer.needsReducedGradients
      for (number, parameter) in parameters.enumerated() {
        let values = try parameter.tensor.array(as: Double.self)
        let own = Tensor(values.indices.map { gradient(of: values[$0], $0, of: number, in: step) })
        if reduces { try group.allReduce(own, by: .mean) }
        parameter.gradient = own
      }
      optimizer.step()
      say("reduces", [reduces])
      try say("values", Tensor.cat(parameters.map { $0.tensor.detached() }))
    }
  }

  /// Towards a place that depends on the rank, with noise; one element never has a gradient.
  private func gradient(of value: Double, _ index: Int, of parameter: Int, in step: Int) -> Double {
    if parameter == 0, index == 4 { return 0 }
    let place = Double((index * 7 + rank * 5 + parameter * 3) % 11) / 5 - 1
    let noise = Double((index * 5 + rank * 3 + step * 7) % 13) / 13 - 0.5
    return value - place + noise
  }

  private func makeOptimizer(_ parameters: [AnyParameter], _ group: ProcessGroup) -> CompressedOptimizer {
    let options = CompressedOptimizer.Group(
      parameters, learningRate: 0.05, betas: (0.8, 0.95), epsilon: 1e-2, weightDecay: 0.1)
    switch argument {
    case "zero-one":
      var policy = ZeroOneAdam.Policy()
      policy.varianceFreezeStep = 7
      policy.varianceUpdateScaler = 2
      policy.localStepScaler = 2
      policy.localStepClipper = 2
      return ZeroOneAdam(groups: [options], over: group, policy: policy)
    case "lamb": return OneBitLamb(groups: [options], over: group, freezeStep: 5)
    default: return OneBitAdam(groups: [options], over: group, freezeStep: 5)
    }
  }
}
