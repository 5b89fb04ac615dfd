public import Torch
import TorchNN

/// Scales the loss so that small gradients do not vanish in float16, and finds the scale by itself.
///
/// ```swift
/// let scaler = GradScaler()
/// scaler.scale(loss).backward()
/// scaler.unscaleGradients(of: optimizer)          // before clipping
/// let stepped = scaler.step(optimizer)            // false: a gradient was not finite
/// scaler.update()
/// ```
///
/// After a step with a gradient that is infinite or not a number the scale is multiplied by `backoffFactor`; after
/// `growthInterval` steps without one, by `growthFactor`. This is PyTorch's
/// [torch.amp.GradScaler](https://docs.pytorch.org/docs/stable/amp.html#gradient-scaling). Wrong use and options out of
/// range are recorded as a `TorchError`.
public final class GradScaler {
  /// What the scale grows by; above 1.
  public private(set) var growthFactor: Double
  /// What the scale is multiplied by after a gradient that was not finite; below 1.
  public private(set) var backoffFactor: Double
  /// Steps without such a gradient before the scale grows.
  public private(set) var growthInterval: Int

  /// float32 and int32 without dimensions, where libtorch's kernel wants them.
  private var scaleTensor: Tensor
  private var growthTracker: Tensor
  private var records: [ObjectIdentifier: Record] = [:]

  /// Makes the ranks agree on whether a gradient was not finite, where each has its own part of the gradients: it replaces
  /// the number of each rank by the largest.
  package var agreement: ((Tensor) throws -> Void)?

  /// What is known of the gradients of an optimizer since the last ``update()``.
  private struct Record {
    var isStepped = false
    /// For each device, 1 when a gradient was not finite.
    var found: [Tensor]
  }

  public init(
    initialScale: Double = 65536, growthFactor: Double = 2, backoffFactor: Double = 0.5, growthInterval: Int = 2000
  ) {
    self.growthFactor = growthFactor
    self.backoffFactor = backoffFactor
    self.growthInterval = growthInterval
    scaleTensor = Tensor.full([], Scalar(initialScale), dtype: .float32)
    growthTracker = Tensor.full([], 0, dtype: .int32)
    let problems = problems(scale: initialScale)
    if !problems.isEmpty { _ = Tensor.failed(operation: "GradScaler", message: problems.joined(separator: "; ")) }
  }

  /// The factor that losses are multiplied by.
  public var currentScale: Double { (try? scaleTensor.scalar()) ?? .nan }

  /// Steps since the scale last changed; it grows when they reach ``growthInterval``.
  public var growthTrack: Int { (try? growthTracker.integer()) ?? 0 }

  /// `loss` times the scale.
  public func scale(_ loss: Tensor) -> Tensor { loss * scaleTensor.to(loss.device) }

  /// Divides the gradients of the optimizer's parameters by the scale, and looks for one that is not finite.
  ///
  /// At most once for an optimizer between two calls of ``update()``; ``step(_:)`` does it when it was not done.
  public func unscaleGradients(of optimizer: Optimizer) {
    guard records[ObjectIdentifier(optimizer)] == nil else {
      return misuse("unscaleGradients", "the gradients are unscaled already; call update() after each step")
    }
    guard optimizer.supportsGradientScaling else {
      return misuse(
        "unscaleGradients",
        "\(type(of: optimizer)) does not work with a scaled loss; use another optimizer or precision")
    }
    withoutGradients {
      let gradients = optimizer.parameters.compactMap(\.gradient)
      if gradients.contains(where: { $0.dtype == .float16 }) {
        return misuse(
          "unscaleGradients",
          "there are float16 gradients, and dividing them by the scale would lose what scaling has saved; keep the "
            + "parameters in float32 and compute in float16 by autocast (precision '16-mixed')")
      }
      let inverse = Aten.reciprocal(scaleTensor.to(.float64)).to(.float32)
      var found: [Tensor] = []
      do {
        found = try optimizer.unscaleOffloadedGradients(by: inverse)
      } catch {
        return misuse("unscaleGradients", "\(error)")
      }
      found += Self.partition(gradients).map { part in
        let device = part[0].device
        let found = Tensor.zeros([], dtype: .float32, device: device)
        Aten._amp_foreach_non_finite_check_and_unscale_(part, found_inf: found, inv_scale: inverse.to(device))
        return found
      }
      if let agreement {
        let all = found.dropFirst().reduce(found.first ?? .zeros([])) { $0 + $1.to($0.device) }
        do { try agreement(all) } catch { return misuse("unscaleGradients", "\(error)") }
        found = [all]
      }
      records[ObjectIdentifier(optimizer)] = Record(found: found)
    }
  }

  /// Performs the optimizer's step unless a gradient is not finite.
  ///
  /// - Returns: whether the step was done.
  @discardableResult
  public func step(_ optimizer: Optimizer) -> Bool {
    if records[ObjectIdentifier(optimizer)] == nil { unscaleGradients(of: optimizer) }
    guard let record = records[ObjectIdentifier(optimizer)] else { return false }
    guard !record.isStepped else {
      misuse("step", "the step was done already; call update() after each step")
      return false
    }
    records[ObjectIdentifier(optimizer)]?.isStepped = true
    let isFinite = record.found.allSatisfy { (try? $0.scalar()) == 0 }
    if isFinite { optimizer.performStep() }
    return isFinite
  }

  /// Adapts the scale to what the steps since the last call have found, over all optimizers.
  public func update() {
    let found = records.values.flatMap(\.found)
    records = [:]
    guard let first = found.first else { return }
    withoutGradients {
      let device = first.device
      let combined = found.dropFirst().reduce(first) { $0 + $1.to(device) }
      scaleTensor = scaleTensor.to(device)
      growthTracker = growthTracker.to(device)
      Aten._amp_update_scale_(
        scaleTensor, growth_tracker: growthTracker, found_inf: combined, scale_growth_factor: growthFactor,
        scale_backoff_factor: backoffFactor, growth_interval: growthInterval)
    }
  }

  /// Everything needed to continue, as PyTorch's `GradScaler.state_dict()` has it.
  public func stateDictionary() -> ArchiveDictionary {
    [
      "scale": .double(currentScale), "growth_factor": .double(growthFactor),
      "backoff_factor": .double(backoffFactor), "growth_interval": .int(growthInterval),
      "_growth_tracker": .int(growthTrack),
    ]
  }

  /// Restores what ``stateDictionary()`` or PyTorch's `state_dict()` returned.
  ///
  /// - Throws: `OptimizerStateError` with everything that is missing; then nothing has changed.
  public func load(_ state: ArchiveDictionary) throws(OptimizerStateError) {
    var reader = StateReader(state)
    var (scale, growth, backoff) = (currentScale, growthFactor, backoffFactor)
    var (interval, track) = (growthInterval, growthTrack)
    reader.read("scale", into: &scale)
    reader.read("growth_factor", into: &growth)
    reader.read("backoff_factor", into: &backoff)
    reader.read("growth_interval", into: &interval)
    reader.read("_growth_tracker", into: &track)
    guard reader.problems.isEmpty else { throw OptimizerStateError(optimizer: "GradScaler", problems: reader.problems) }
    (growthFactor, backoffFactor, growthInterval) = (growth, backoff, interval)
    scaleTensor = Tensor.full([], Scalar(scale), dtype: .float32)
    growthTracker = Tensor.full([], Scalar(track), dtype: .int32)
    records = [:]
  }

  /// Tensors of one device and type each, as the kernel wants them.
  private static func partition(_ tensors: [Tensor]) -> [[Tensor]] {
    var parts: [(kind: LiveParameters.Kind, tensors: [Tensor])] = []
    for tensor in tensors {
      let kind = LiveParameters.Kind(dtype: tensor.dtype, device: tensor.device)
      if let place = parts.firstIndex(where: { $0.kind == kind }) {
        parts[place].tensors.append(tensor)
      } else {
        parts.append((kind, [tensor]))
      }
    }
    return parts.map(\.tensors)
  }

  private func problems(scale: Double) -> [String] {
    var problems: [String] = []
    if !(scale > 0 && scale.isFinite) { problems.append("initialScale is \(scale); give a number above 0") }
    if !(growthFactor > 1) { problems.append("growthFactor is \(growthFactor); give a number above 1") }
    if !(backoffFactor > 0 && backoffFactor < 1) {
      problems.append("backoffFactor is \(backoffFactor); give a number between 0 and 1")
    }
    if growthInterval < 1 { problems.append("growthInterval is \(growthInterval); give at least 1") }
    return problems
  }

  private func misuse(_ function: String, _ message: String) {
    _ = Tensor.failed(operation: "GradScaler.\(function)", message: message)
  }
}
