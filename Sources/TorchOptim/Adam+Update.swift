import Glibc
import Torch
import TorchNN

extension Adam.Group {
  func update() {
    if live.collect(parameters) { liveState = nil }
    defer { live.releaseGradients() }
    guard !live.positions.isEmpty else { return }
    for position in live.positions { stepCounts[position] += 1 }
    if live.isUniform {
      let state = liveState ?? makeLiveState()
      liveState = state
      countOnDevice()
      callFused(state)
      return
    }
    // The counts on the device are made anew, from those here, when one fused call serves again.
    steps = nil
    liveState = nil
    makeMissingState()
    for index in live.positions.indices {
      updateSingle(live.tensors[index], live.gradients[index], at: live.positions[index])
    }
  }

  /// Makes the state of parameters that take their first step.
  private func makeMissingState() {
    for (position, tensor) in zip(live.positions, live.tensors) {
      if averages[position] == nil {
        averages[position] = Aten.zeros_like(tensor)
        squareAverages[position] = Aten.zeros_like(tensor)
      }
      if amsgrad, largestSquareAverages[position] == nil { largestSquareAverages[position] = Aten.zeros_like(tensor) }
    }
  }

  private func makeLiveState() -> LiveState {
    makeMissingState()
    let device = live.tensors[0].device
    if steps == nil || steps?.device != device {
      // The step of this moment is counted already; `countOnDevice` is about to count it.
      var counts = stepCounts.map(Float.init)
      for position in live.positions { counts[position] -= 1 }
      let made = Tensor(counts).to(device)
      steps = made
      stepViews = counts.indices.map { Aten.select(made, dim: 0, index: $0) }
    }
    return LiveState(
      averages: live.positions.compactMap { averages[$0] },
      squareAverages: live.positions.compactMap { squareAverages[$0] },
      largestSquareAverages: amsgrad ? live.positions.compactMap { largestSquareAverages[$0] } : [],
      steps: live.positions.map { stepViews[$0] })
  }

  /// Counts one step in the tensor that the fused kernels read.
  private func countOnDevice() {
    guard let steps else { return }
    if steps.device == .cpu {
      steps.withUnsafeMutableBytes { bytes in
        let counts = bytes.assumingMemoryBound(to: Float.self)
        for position in live.positions { counts[position] += 1 }
      }
    } else if live.positions.count == stepCounts.count {
      Aten.add_(steps, other: 1)
    } else {
      for position in live.positions { Aten.add_(stepViews[position], other: 1) }
    }
  }

  private func callFused(_ state: LiveState) {
    if decoupledWeightDecay {
      Aten._fused_adamw_(
        live.tensors, grads: live.gradients, exp_avgs: state.averages, exp_avg_sqs: state.squareAverages,
        max_exp_avg_sqs: state.largestSquareAverages, state_steps: state.steps, lr: learningRate, beta1: betas.0,
        beta2: betas.1, weight_decay: weightDecay, eps: epsilon, amsgrad: amsgrad, maximize: maximize)
    } else {
      Aten._fused_adam_(
        live.tensors, grads: live.gradients, exp_avgs: state.averages, exp_avg_sqs: state.squareAverages,
        max_exp_avg_sqs: state.largestSquareAverages, state_steps: state.steps, lr: learningRate, beta1: betas.0,
        beta2: betas.1, weight_decay: weightDecay, eps: epsilon, amsgrad: amsgrad, maximize: maximize)
    }
  }

  /// The same step from elementwise operations, which take any layout and any device.
  private func updateSingle(_ tensor: Tensor, _ gradient: Tensor, at position: Int) {
    guard let average = averages[position], let squareAverage = squareAverages[position] else { return }
    var direction = maximize ? Aten.neg(gradient) : gradient
    if weightDecay != 0 {
      if decoupledWeightDecay {
        Aten.mul_(tensor, other: Scalar(1 - learningRate * weightDecay))
      } else {
        direction = Aten.add(direction, other: tensor, alpha: Scalar(weightDecay))
      }
    }
    Aten.lerp_(average, end: direction, weight: Scalar(1 - betas.0))
    Aten.mul_(squareAverage, other: Scalar(betas.1))
    Aten.addcmul_(squareAverage, tensor1: direction, tensor2: direction, value: Scalar(1 - betas.1))

    let count = Double(stepCounts[position])
    var divisor = squareAverage
    if amsgrad, let largest = largestSquareAverages[position] {
      Aten.copy_(largest, src: Aten.maximum(largest, other: squareAverage))
      divisor = largest
    }
    let denominator = Aten.div(Aten.sqrt(divisor), other: Scalar((1 - pow(betas.1, count)).squareRoot()))
    Aten.add_(denominator, other: Scalar(epsilon))
    Aten.addcdiv_(
      tensor, tensor1: average, tensor2: denominator, value: Scalar(-learningRate / (1 - pow(betas.0, count))))
  }
}
