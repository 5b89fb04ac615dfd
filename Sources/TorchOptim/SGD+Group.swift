public import Torch
public import TorchNN

extension SGD {
  /// Parameters that SGD updates with the same options.
  public final class Group: ParameterGroup {
    /// The share of the last update that is kept, usually in 0..<1; 0 keeps no state.
    public var momentum: Double
    /// The share of the gradient that momentum leaves out, from the second step on.
    public var dampening: Double
    /// Whether to look ahead along the momentum; needs `momentum` above 0 and `dampening` 0.
    public var nesterov: Bool

    var momentumBuffers: [Tensor?] {
      didSet { liveBuffers = nil }
    }
    private var live = LiveParameters()
    /// The buffers of the live parameters, when all of them have one.
    private var liveBuffers: [Tensor]?

    /// Creates a group.
    public init(
      _ parameters: [AnyParameter], names: [String] = [], learningRate: Double = 1e-3, momentum: Double = 0,
      dampening: Double = 0, weightDecay: Double = 0, nesterov: Bool = false, maximize: Bool = false
    ) {
      self.momentum = momentum
      self.dampening = dampening
      self.nesterov = nesterov
      momentumBuffers = Array(repeating: nil, count: parameters.count)
      super.init(
        parameters, names: names, learningRate: learningRate, weightDecay: weightDecay, maximize: maximize)
    }

    public override var momentumCoefficient: Double? {
      get { momentum }
      set { momentum = newValue ?? momentum }
    }

    public override func options() -> ArchiveDictionary {
      [
        "lr": .double(learningRate), "momentum": .double(momentum), "dampening": .double(dampening),
        "weight_decay": .double(weightDecay), "nesterov": .bool(nesterov), "maximize": .bool(maximize),
        "foreach": .none, "differentiable": .bool(false), "fused": .none,
      ]
    }

    public override func readOptions(_ reader: inout StateReader) {
      super.readOptions(&reader)
      reader.read("momentum", into: &momentum)
      reader.read("dampening", into: &dampening)
      reader.read("nesterov", into: &nesterov)
    }

    public override func problems() -> [String] {
      var problems = super.problems()
      if !(momentum >= 0) { problems.append("momentum is \(momentum); give a number that is at least 0") }
      if nesterov, !(momentum > 0) || dampening != 0 {
        problems.append(
          "nesterov needs momentum above 0 and dampening 0; momentum is \(momentum), dampening is \(dampening)")
      }
      return problems
    }

    func update() {
      if live.collect(parameters) { liveBuffers = nil }
      defer { live.releaseGradients() }
      guard !live.positions.isEmpty else { return }
      if live.isUniform {
        if momentum == 0 {
          callFused(live.tensors, live.gradients, [], isFirstStep: false)
        } else if let liveBuffers {
          callFused(live.tensors, live.gradients, liveBuffers, isFirstStep: false)
        } else {
          updateFused(live.tensors, live.gradients, at: live.positions)
          let buffers = live.positions.compactMap { momentumBuffers[$0] }
          liveBuffers = buffers.count == live.positions.count ? buffers : nil
        }
        return
      }
      let (fused, single) = live.partition()
      for members in fused {
        updateFused(
          members.map { live.tensors[$0] }, members.map { live.gradients[$0] }, at: members.map { live.positions[$0] })
      }
      for index in single { updateSingle(live.tensors[index], live.gradients[index], at: live.positions[index]) }
    }

    private func updateFused(_ tensors: [Tensor], _ gradients: [Tensor], at positions: [Int]) {
      guard momentum != 0 else {
        return callFused(tensors, gradients, [], isFirstStep: false)
      }
      // The kernel takes a flag for all of its tensors, so those in their first step go in a call of their own.
      let old = positions.indices.filter { momentumBuffers[positions[$0]] != nil }
      let new = positions.indices.filter { momentumBuffers[positions[$0]] == nil }
      if !old.isEmpty {
        callFused(
          old.map { tensors[$0] }, old.map { gradients[$0] }, old.compactMap { momentumBuffers[positions[$0]] },
          isFirstStep: false)
      }
      if !new.isEmpty {
        let buffers = new.map { Aten.empty_like(gradients[$0]) }
        for (index, buffer) in zip(new, buffers) { momentumBuffers[positions[index]] = buffer }
        callFused(new.map { tensors[$0] }, new.map { gradients[$0] }, buffers, isFirstStep: true)
      }
    }

    private func callFused(_ tensors: [Tensor], _ gradients: [Tensor], _ buffers: [Tensor], isFirstStep: Bool) {
      Aten._fused_sgd_(
        tensors, grads: gradients, momentum_buffer_list: buffers, weight_decay: weightDecay, momentum: momentum,
        lr: learningRate, dampening: dampening, nesterov: nesterov, maximize: maximize, is_first_step: isFirstStep)
    }

    private func updateSingle(_ tensor: Tensor, _ gradient: Tensor, at position: Int) {
      var direction = maximize ? Aten.neg(gradient) : gradient
      if weightDecay != 0 { direction = Aten.add(direction, other: tensor, alpha: Scalar(weightDecay)) }
      if momentum != 0 {
        let buffer: Tensor
        if let known = momentumBuffers[position] {
          buffer = known
          Aten.mul_(buffer, other: Scalar(momentum))
          Aten.add_(buffer, other: direction, alpha: Scalar(1 - dampening))
        } else {
          buffer = Aten.clone(direction)
          momentumBuffers[position] = buffer
        }
        direction = nesterov ? Aten.add(direction, other: buffer, alpha: Scalar(momentum)) : buffer
      }
      Aten.add_(tensor, other: direction, alpha: Scalar(-learningRate))
    }
  }
}
