extension RunPlan {
  /// Returns the strategy of the plan: the object that the user gave, or a new one from the registry.
  ///
  /// - Throws: `ConfigurationError` when the strategy or the hardware of the plan is not part of this version: a plan can
  ///   be made for either, a run cannot.
  public func makeStrategy(
    for request: RunRequest, registry: StrategyRegistry = .shared
  ) throws(ConfigurationError) -> any StrategyDescribing {
    var problems: [ConfigurationError.Problem] = []
    var strategy: (any StrategyDescribing)?
    do throws(ConfigurationError) {
      if case .instance(let given) = request.strategy {
        strategy = given
      } else {
        strategy = try registry.make(strategyAlias ?? strategyName)
      }
    } catch {
      problems += error.problems
    }
    if !AcceleratorKind.supported.contains(accelerator) {
      let supported = AcceleratorKind.allCases.filter(AcceleratorKind.supported.contains).map(\.rawValue)
      problems.append(
        .init(
          "accelerator", "accelerator '\(accelerator)' is known but not part of this version yet",
          suggestion: "available now: " + supported.joined(separator: ", ")))
    }
    if let error = ConfigurationError(problems) { throw error }
    return strategy!
  }
}
