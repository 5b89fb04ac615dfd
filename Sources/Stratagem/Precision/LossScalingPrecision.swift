public import Torch
public import TorchOptim

/// ``MixedPrecision`` in float16 whose loss is scaled by the rules of ``LossScaler``.
///
/// A step is left out on all ranks when a gradient is not finite on one.
public final class LossScalingPrecision: MixedPrecision {
  public private(set) var lossScaler: LossScaler
  /// Whether what happened here happened on any rank; set by the strategy.
  var reduceOverflow: ((Bool) throws -> Bool)?
  /// For each optimizer whose gradients are unscaled, whether all of them are finite, by device.
  private var found: [ObjectIdentifier: [Tensor]] = [:]

  public init(_ scaling: LossScaling = LossScaling()) {
    lossScaler = LossScaler(scaling)
    super.init(.float16Mixed, .float16, scaler: nil)
  }

  public override func backward(_ loss: Tensor, _ compute: (Tensor) throws -> Void = { $0.backward() }) throws {
    try super.backward(loss * Scalar(lossScaler.scale), compute)
  }

  public override func unscaleGradients(of optimizer: Optimizer) throws {
    let gradients = optimizer.parameters.compactMap(\.gradient).filter { $0.count > 0 }
    let stored = try optimizer.unscaleOffloadedGradients(by: Tensor(1 / lossScaler.scale, dtype: .float32))
    found[ObjectIdentifier(optimizer)] = withoutGradients {
      stored
        + Self.partition(gradients).map { part in
          let device = part[0].device
          let found = Tensor.zeros([], dtype: .float32, device: device)
          let inverse = Tensor(1 / lossScaler.scale, dtype: .float32).to(device)
          Aten._amp_foreach_non_finite_check_and_unscale_(part, found_inf: found, inv_scale: inverse)
          return found
        }
    }
  }

  public override func step(_ optimizer: Optimizer) throws -> Bool {
    if found[ObjectIdentifier(optimizer)] == nil { try unscaleGradients(of: optimizer) }
    let flags = found.removeValue(forKey: ObjectIdentifier(optimizer)) ?? []
    var overflow = try flags.contains { try $0.scalar() != 0 }
    if let reduceOverflow { overflow = try reduceOverflow(overflow) }
    let before = lossScaler.scale
    if !overflow { optimizer.performStep() }
    guard lossScaler.update(overflow: overflow) else {
      throw LossScaleError(scale: before, parameter: try Self.firstNonFinite(of: optimizer))
    }
    return !overflow
  }

  /// The first parameter whose gradient is not finite.
  private static func firstNonFinite(of optimizer: Optimizer) throws -> String? {
    var offset = 0
    for group in optimizer.parameterGroups {
      for (position, parameter) in group.parameters.enumerated() {
        var isFinite = true
        func look(at part: Tensor) throws { isFinite = try isFinite && part.isFinite().all().integer() != 0 }
        try parameter.offloadedGradient?.forEachPart { try look(at: $0) }
        if let gradient = parameter.gradient, gradient.count > 0 { try look(at: gradient) }
        if !isFinite { return group.label(position, offset: offset) }
      }
      offset += group.parameters.count
    }
    return nil
  }

  /// Tensors of one device and type each, as the kernel wants them.
  private static func partition(_ tensors: [Tensor]) -> [[Tensor]] {
    var parts: [[Tensor]] = []
    for tensor in tensors {
      if let place = parts.firstIndex(where: { $0[0].dtype == tensor.dtype && $0[0].device == tensor.device }) {
        parts[place].append(tensor)
      } else {
        parts.append([tensor])
      }
    }
    return parts
  }

  public override func state() -> ArchiveDictionary { lossScaler.state() }

  public override func load(_ state: ArchiveDictionary) throws {
    try lossScaler.load(state)
    found = [:]
  }
}
