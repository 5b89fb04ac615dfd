extension BaguaAlgorithm {
  /// Gradients are averaged; see ``GradientAllReduce``.
  public static func gradientAllReduce(hierarchical: Bool = false, average: Bool = true) -> BaguaAlgorithm {
    GradientAllReduce(hierarchical: hierarchical, average: average)
  }

  /// Gradients are averaged in 8 bits; see ``ByteGrad``.
  public static func byteGrad(hierarchical: Bool = true, average: Bool = true) -> BaguaAlgorithm {
    ByteGrad(hierarchical: hierarchical, average: average)
  }

  /// Weights are averaged over all ranks or in pairs; see ``Decentralized``.
  public static func decentralized(
    hierarchical: Bool = true, peers: Decentralized.PeerSelection = .all, communicationInterval: Int = 1
  ) -> BaguaAlgorithm {
    Decentralized(hierarchical: hierarchical, peers: peers, communicationInterval: communicationInterval)
  }

  /// Weights are averaged on a ring in 8 bits; see ``LowPrecisionDecentralized``.
  public static func lowPrecisionDecentralized(
    hierarchical: Bool = true, communicationInterval: Int = 1
  ) -> BaguaAlgorithm {
    LowPrecisionDecentralized(hierarchical: hierarchical, communicationInterval: communicationInterval)
  }

  /// Moments of the optimizer ``QAdam`` are averaged in 8 bits; see ``QAdamAlgorithm``.
  public static func qAdam(hierarchical: Bool = true) -> BaguaAlgorithm { QAdamAlgorithm(hierarchical: hierarchical) }

  /// Weights are averaged in the background; see ``AsyncModelAverage``.
  public static func async(syncInterval: Int = 500, warmupSteps: Int = 0) -> BaguaAlgorithm {
    AsyncModelAverage(syncInterval: syncInterval, warmupSteps: warmupSteps)
  }

  /// The names that ``named(_:_:)`` knows.
  public static var names: [String] { makers.map(\.name) }

  /// An algorithm by its name in Bagua and Lightning.
  ///
  /// - Parameters:
  ///   - name: one of ``names``.
  ///   - options: by the names they have there, such as `hierarchical`, `peer_selection_mode`, `communication_interval`,
  ///     `sync_interval_ms` and `warmup_steps`.
  /// - Throws: `ConfigurationError` for a name, an option or a value that is not known, with the nearest one.
  public static func named(
    _ name: String, _ options: [String: StrategyOption] = [:]
  ) throws(ConfigurationError) -> BaguaAlgorithm {
    guard let maker = makers.first(where: { $0.name == name.lowercased() }) else {
      let nearest = NearestName.suggestion(for: name, among: names).map { "did you mean '\($0)'? " } ?? ""
      throw ConfigurationError(
        "algorithm", "bagua has no algorithm '\(name)'",
        suggestion: nearest + "known: " + NearestName.ranked(name, among: names).joined(separator: ", "))
    }
    var reader = BaguaOptionReader(maker.name, options)
    let algorithm = maker.make(&reader)
    try reader.check()
    return algorithm
  }

  private static let makers: [(name: String, make: @Sendable (inout BaguaOptionReader) -> BaguaAlgorithm)] = [
    (
      "gradient_allreduce",
      {
        GradientAllReduce(
          hierarchical: $0.flag("hierarchical", false), average: $0.flag("average", true))
      }
    ),
    ("bytegrad", { ByteGrad(hierarchical: $0.flag("hierarchical", true), average: $0.flag("average", true)) }),
    (
      "decentralized",
      {
        Decentralized(
          hierarchical: $0.flag("hierarchical", true), peers: $0.choice("peer_selection_mode", .all),
          communicationInterval: $0.number("communication_interval", 1))
      }
    ),
    (
      "low_precision_decentralized",
      {
        LowPrecisionDecentralized(
          hierarchical: $0.flag("hierarchical", true), communicationInterval: $0.number("communication_interval", 1))
      }
    ),
    ("qadam", { QAdamAlgorithm(hierarchical: $0.flag("hierarchical", true)) }),
    (
      "async",
      {
        let peers = $0.choice("peer_selection_mode", Decentralized.PeerSelection.all)
        if peers != .all { $0.report("algorithm 'async' averages over all ranks", "make peer_selection_mode 'all'") }
        return AsyncModelAverage(
          syncInterval: $0.number("sync_interval_ms", 500), warmupSteps: $0.number("warmup_steps", 0))
      }
    ),
  ]
}
