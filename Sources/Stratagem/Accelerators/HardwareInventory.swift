/// What a machine has to train on, as a value: the plan of a run can be made for hardware that is not there.
public struct HardwareInventory: Hashable, Sendable {
  /// One graphics processor.
  public struct GPU: Hashable, Sendable {
    /// The name that the driver gives, such as `NVIDIA H200`.
    public var name: String

    /// Bytes of memory; 0 when not known.
    public var memory: Int

    /// Describes a graphics processor.
    public init(name: String, memory: Int = 0) {
      self.name = name
      self.memory = memory
    }
  }

  /// Processor cores that this process may use.
  public var cpuCount: Int

  /// The visible CUDA devices; the position in the list is the index of the device.
  public var gpus: [GPU]

  /// Whether libtorch is a build for CUDA.
  public var hasCUDABuild: Bool

  /// Why this program cannot use NCCL on any machine; nil when it can.
  public var ncclProblem: String?

  /// Whether there is an Apple graphics processor.
  public var hasMPS: Bool

  /// The number of TPU cores.
  public var tpuCores: Int

  /// The number of Gaudi processors.
  public var hpus: Int

  /// The number of IPUs.
  public var ipus: Int

  /// Whether its operating system can fork a process.
  public var canFork: Bool

  /// Describes a machine.
  public init(
    cpuCount: Int, gpus: [GPU] = [], hasCUDABuild: Bool = true, ncclProblem: String? = nil, hasMPS: Bool = false,
    tpuCores: Int = 0, hpus: Int = 0, ipus: Int = 0, canFork: Bool = true
  ) {
    self.cpuCount = cpuCount
    self.gpus = gpus
    self.hasCUDABuild = hasCUDABuild
    self.ncclProblem = ncclProblem
    self.hasMPS = hasMPS
    self.tpuCores = tpuCores
    self.hpus = hpus
    self.ipus = ipus
    self.canFork = canFork
  }

  /// Returns the number of devices of a kind; for `cpu` the number of cores.
  public func count(of kind: AcceleratorKind) -> Int {
    switch kind {
    case .cpu: cpuCount
    case .cuda: gpus.count
    case .mps: hasMPS ? 1 : 0
    case .tpu: tpuCores
    case .ipu: ipus
    case .hpu: hpus
    }
  }

  /// Whether the machine can run on this kind of hardware; on its processors it always can.
  public func has(_ kind: AcceleratorKind) -> Bool { kind == .cpu || count(of: kind) > 0 }

  /// The kinds of hardware present, the processors first.
  public var kinds: [AcceleratorKind] { AcceleratorKind.allCases.filter(has) }
}

extension HardwareInventory: CustomStringConvertible {
  /// One phrase for each kind of hardware present, such as `cpu (2 cores), cuda (8 GPUs: NVIDIA H200)`.
  public var description: String {
    kinds.map { kind in
      let count = count(of: kind)
      switch kind {
      case .cpu: return "cpu (\(count) \(count == 1 ? "core" : "cores"))"
      case .cuda:
        var names: [String] = []
        for gpu in gpus where !names.contains(gpu.name) { names.append(gpu.name) }
        return "cuda (\(count) \(kind.noun(count)): \(names.joined(separator: ", ")))"
      default: return "\(kind) (\(count) \(kind.noun(count)))"
      }
    }.joined(separator: ", ")
  }
}
