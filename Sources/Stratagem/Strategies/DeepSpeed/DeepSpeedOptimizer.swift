public import TorchDistributed
public import TorchNN
public import TorchOptim

/// The block `optimizer` of a ``DeepSpeedConfig``.
///
/// As in DeepSpeed, `Adam` decays weights as `AdamW` does unless `adam_w_mode` is false, and neither decays them unless
/// `weight_decay` says so. `"auto"` for `lr`, `betas`, `eps` and `weight_decay` is the value of the module's first optimizer,
/// and DeepSpeed's default when the module makes none.
public struct DeepSpeedOptimizer: Sendable {
  /// The optimizers that may be named.
  public enum Kind: String, Sendable, CaseIterable {
    case adam = "Adam"
    case adamW = "AdamW"
    case lamb = "Lamb"
    case sgd = "SGD"
    case oneBitAdam = "OneBitAdam"
    case zeroOneAdam = "ZeroOneAdam"
    case oneBitLamb = "OneBitLamb"

    /// Whether it communicates itself, with one bit a number.
    public var isCompressed: Bool {
      switch self {
      case .oneBitAdam, .zeroOneAdam, .oneBitLamb: true
      case .adam, .adamW, .lamb, .sgd: false
      }
    }
  }

  public let kind: Kind
  public private(set) var learningRate: Double
  public private(set) var betas: (Double, Double)
  public private(set) var epsilon: Double
  public private(set) var weightDecay: Double
  /// The parameters that are `"auto"`, by DeepSpeed's names.
  public let automatic: Set<String>
  private let amsgrad: Bool
  private let decouplesWeightDecay: Bool
  private let biasCorrection: Bool
  private let momentum: (Double, dampening: Double, nesterov: Bool)
  private let ratios: ClosedRange<Double>
  private let freezeStep: Int
  private let zeroOne: ZeroOneAdam.Policy
  private let scaling: OneBitLamb.Scaling

  init?(_ section: DeepSpeedSection) {
    section.ignore("legacy_fusion", because: "there is one implementation")
    if !section.has("type") {
      section.know("type")
      section.problem(
        "type", "the optimizer has no 'type'", "give one of \(Kind.allCases.map(\.rawValue).joined(separator: ", "))")
    }
    let kind = section.choice("type", Kind.self, default: nil)
    let made = section.section(orEmpty: "params") { Self(kind ?? .adam, $0, isKnown: kind != nil) }
    guard kind != nil else { return nil }
    self = made
  }

  private init(_ kind: Kind, _ section: DeepSpeedSection, isKnown: Bool) {
    self.kind = kind
    automatic = Set(["lr", "betas", "eps", "weight_decay"].filter { section.value(of: $0) == .string("auto") })
    learningRate = section.number("lr", default: 1e-3, auto: true)
    weightDecay = section.number("weight_decay", default: 0, auto: true)
    betas = kind == .sgd ? (0, 0) : section.pair("betas", default: (0.9, 0.999), auto: true)
    epsilon = kind == .sgd ? 0 : section.number("eps", default: 1e-8, auto: true)
    let isAdam = kind == .adam || kind == .adamW
    amsgrad = isAdam && section.flag("amsgrad", default: false)
    decouplesWeightDecay = kind == .adamW || (kind == .adam && section.flag("adam_w_mode", default: true))
    biasCorrection = kind == .lamb ? section.flag("bias_correction", default: true) : true
    momentum =
      kind == .sgd
      ? (
        section.number("momentum", default: 0), section.number("dampening", default: 0),
        section.flag("nesterov", default: false)
      ) : (0, 0, false)
    let isLamb = kind == .lamb || kind == .oneBitLamb
    ratios = isLamb ? Self.ratios(section) : 0.01...10
    freezeStep =
      kind == .oneBitAdam || kind == .oneBitLamb ? section.integer("freeze_step", default: 100_000, atLeast: 1) : 1
    zeroOne = kind == .zeroOneAdam ? section.zeroOnePolicy() : .init()
    scaling = kind == .oneBitLamb ? section.lambScaling() : .init()
    if isKnown { Self.knowOthers(section, kind) } else { section.knowAll() }
  }

  private static func ratios(_ section: DeepSpeedSection) -> ClosedRange<Double> {
    let least = section.number("min_coeff", default: 0.01, PositiveNumbers(), "a number above 0")
    let most = section.number("max_coeff", default: 10, PositiveNumbers(), "a number above 0")
    guard least <= most else {
      section.problem("min_coeff", "'min_coeff' is \(least), above 'max_coeff' \(most)", "exchange them")
      return 0.01...10
    }
    return least...most
  }

  private static func knowOthers(_ section: DeepSpeedSection, _ kind: Kind) {
    section.ignore(
      "torch_adam", "cuda_aware", "comm_backend_name", "fused", "foreach", "fp32_optimizer_states",
      because: "there is one implementation")
    section.refuse(
      "max_grad_norm", "is not a parameter of an optimizer", "write \"gradient_clipping\" at the top instead")
    section.refuse("eps_inside_sqrt", "moves eps into the root, which no optimizer here does", "remove it")
    switch kind {
    case .lamb, .sgd: break
    case .adam, .adamW:
      section.know("bias_correction")
      if section.value(of: "bias_correction") == .bool(false) {
        section.problem(
          "bias_correction", "\(kind.rawValue) without bias correction is not part of this library",
          "remove 'bias_correction', or take Lamb")
      }
    case .oneBitAdam, .zeroOneAdam, .oneBitLamb:
      section.ignore("bias_correction", because: "compressed optimizers have none")
      section.refuse("amsgrad", "does not go with compressed momenta", "remove it")
    }
  }

  /// The optimizer whose `"auto"` parameters are those of a group of another one, where that has them.
  func filled(from group: ParameterGroup) -> DeepSpeedOptimizer {
    var filled = self
    if automatic.contains("lr") { filled.learningRate = group.learningRate }
    if automatic.contains("weight_decay") { filled.weightDecay = group.weightDecay }
    guard kind != .sgd, let group = group as? MomentGroup else { return filled }
    if automatic.contains("betas") { filled.betas = group.betas }
    if automatic.contains("eps") { filled.epsilon = group.epsilon }
    return filled
  }

  /// Writes the `"auto"` parameters into the block `optimizer` of a configuration.
  func fill(_ block: inout JSONValue) {
    guard var members = block["params"] else { return }
    for name in automatic {
      switch name {
      case "lr": members.set(name, .number(learningRate))
      case "weight_decay": members.set(name, .number(weightDecay))
      case "eps": members.set(name, .number(epsilon))
      default: members.set(name, .list([.number(betas.0), .number(betas.1)]))
      }
    }
    block.set("params", members)
  }

  /// Makes the optimizer.
  ///
  /// - Parameter group: the ranks that a compressed optimizer communicates with; nil for none.
  public func make(_ parameters: [AnyParameter], names: [String], over group: ProcessGroup?) -> Optimizer {
    switch kind {
    case .adam where !decouplesWeightDecay:
      Adam(groups: [adamGroup(parameters, names)])
    case .adam, .adamW: AdamW(groups: [adamGroup(parameters, names)])
    case .lamb:
      Lamb(groups: [
        Lamb.Group(
          parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon,
          weightDecay: weightDecay, biasCorrection: biasCorrection, ratios: ratios)
      ])
    case .sgd:
      SGD(groups: [
        SGD.Group(
          parameters, names: names, learningRate: learningRate, momentum: momentum.0, dampening: momentum.dampening,
          weightDecay: weightDecay, nesterov: momentum.nesterov)
      ])
    case .oneBitAdam:
      OneBitAdam(groups: [compressedGroup(parameters, names)], over: group, freezeStep: freezeStep)
    case .zeroOneAdam: ZeroOneAdam(groups: [compressedGroup(parameters, names)], over: group, policy: zeroOne)
    case .oneBitLamb:
      OneBitLamb(
        groups: [compressedGroup(parameters, names)], over: group, freezeStep: freezeStep, ratios: ratios,
        scaling: scaling)
    }
  }

  private func adamGroup(_ parameters: [AnyParameter], _ names: [String]) -> Adam.Group {
    Adam.Group(
      parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay,
      amsgrad: amsgrad)
  }

  private func compressedGroup(_ parameters: [AnyParameter], _ names: [String]) -> CompressedOptimizer.Group {
    CompressedOptimizer.Group(
      parameters, names: names, learningRate: learningRate, betas: betas, epsilon: epsilon, weightDecay: weightDecay)
  }
}

extension DeepSpeedSection {
  fileprivate func zeroOnePolicy() -> ZeroOneAdam.Policy {
    var policy = ZeroOneAdam.Policy()
    policy.varianceFreezeStep = integer("var_freeze_step", default: policy.varianceFreezeStep, atLeast: 1)
    policy.varianceUpdateScaler = integer("var_update_scaler", default: policy.varianceUpdateScaler, atLeast: 1)
    policy.localStepScaler = integer("local_step_scaler", default: policy.localStepScaler, atLeast: 1)
    policy.localStepClipper = integer("local_step_clipper", default: policy.localStepClipper, atLeast: 1)
    return policy
  }

  fileprivate func lambScaling() -> OneBitLamb.Scaling {
    var scaling = OneBitLamb.Scaling()
    scaling.ratioBeta = number("coeff_beta", default: scaling.ratioBeta, 0..<1, "a number in 0..<1")
    let least = number("factor_min", default: scaling.factors.lowerBound, PositiveNumbers(), "a number above 0")
    let most = number("factor_max", default: scaling.factors.upperBound, PositiveNumbers(), "a number above 0")
    if least <= most {
      scaling.factors = least...most
    } else {
      problem("factor_min", "'factor_min' is \(least), above 'factor_max' \(most)", "exchange them")
    }
    scaling.threshold = number("factor_threshold", default: scaling.threshold)
    return scaling
  }
}
