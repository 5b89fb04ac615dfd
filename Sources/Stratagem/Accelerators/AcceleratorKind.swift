public import Torch

/// A kind of hardware that can train.
public enum AcceleratorKind: String, CaseIterable, Hashable, Sendable {
  case cpu, cuda, mps, tpu, ipu, hpu

  /// The kinds that this version can run on.
  ///
  /// The others are known to the plan of a run; a trainer on one of them answers with an error that says so.
  public static let supported: Set<AcceleratorKind> = [.cpu, .cuda]

  /// The order in which `auto` looks for hardware.
  static let preference: [AcceleratorKind] = [.tpu, .ipu, .hpu, .mps, .cuda, .cpu]

  /// What one device is called in messages.
  func noun(_ count: Int) -> String {
    let plural = count == 1 ? "" : "s"
    return switch self {
    case .cpu: count == 1 ? "CPU process" : "CPU processes"
    case .cuda: "GPU" + plural
    case .mps: "MPS device" + plural
    case .tpu: "TPU core" + plural
    case .ipu: "IPU" + plural
    case .hpu: "HPU" + plural
    }
  }

  /// Returns the libtorch device with this index; the processors are one device.
  public func device(at index: Int) -> Device {
    switch self {
    case .cpu: .cpu
    case .cuda: .cuda(index)
    case .mps: Device(.mps, index: index)
    case .tpu: Device(.xla, index: index)
    case .ipu: Device(.ipu, index: index)
    case .hpu: Device(.hpu, index: index)
    }
  }

  /// Returns the kind of hardware a libtorch device belongs to, or `nil` for `meta`.
  public init?(_ device: Device) {
    switch device.kind {
    case .cpu: self = .cpu
    case .cuda: self = .cuda
    case .mps: self = .mps
    case .xla: self = .tpu
    case .ipu: self = .ipu
    case .hpu: self = .hpu
    case .meta: return nil
    }
  }
}

extension AcceleratorKind: CustomStringConvertible {
  public var description: String { rawValue }
}
