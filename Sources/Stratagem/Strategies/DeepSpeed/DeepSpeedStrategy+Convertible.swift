extension StrategyConvertible where Self == DeepSpeedStrategy {
  /// ZeRO with options; see ``DeepSpeedStrategy``.
  ///
  /// - Parameter nvmePath: the folder on whose disk what is offloaded is kept; nil for the memory of the host.
  public static func deepSpeed(
    stage: Int = 2, offloadOptimizer: Bool = false, offloadParameters: Bool = false, nvmePath: String? = nil,
    timeout: Double = 1800, stallNotice: Double = 30, startMethod: StartMethod = .relaunch
  ) -> DeepSpeedStrategy {
    DeepSpeedStrategy(
      stage: stage, offloadOptimizer: offloadOptimizer, offloadParameters: offloadParameters, nvmePath: nvmePath,
      timeout: timeout, stallNotice: stallNotice, startMethod: startMethod)
  }

  /// ZeRO by a DeepSpeed configuration: a literal, or the path of a file.
  public static func deepSpeed(config: DeepSpeedConfigSource) -> DeepSpeedStrategy { DeepSpeedStrategy(config: config) }
}
