extension RunPlan {
  /// Makes the plan of a run, or says everything that is wrong with the request.
  ///
  /// The function is pure: it reads no file, no variable of the process and no hardware, so each rule can be tested for
  /// any machine.
  ///
  /// - Parameters:
  ///   - request: What the user wrote.
  ///   - environment: The environment variables of the process; those of torchrun tell its rank.
  ///   - hardware: What the machine has.
  ///   - registry: The strategies that can be chosen by name.
  /// - Throws: `ConfigurationError` with all problems at once.
  public static func resolve(
    _ request: RunRequest, environment: [String: String], hardware: HardwareInventory,
    registry: StrategyRegistry = .shared
  ) throws(ConfigurationError) -> RunPlan {
    var resolver = RunPlanResolver(
      request: request, environment: environment, hardware: hardware, registry: registry)
    return try resolver.resolve()
  }
}
