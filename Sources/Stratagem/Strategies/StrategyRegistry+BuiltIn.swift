extension StrategyRegistry {
  /// The strategies of this library.
  static var builtIn: [Entry] {
    [
      Entry("single_device") { SingleDeviceStrategy() },
      Entry("ddp") { DDPStrategy() },
      Entry("ddp_find_unused_parameters_false") { DDPStrategy(findUnusedParameters: false) },
      Entry("ddp_find_unused_parameters_true") { DDPStrategy(findUnusedParameters: true) },
    ]
  }
}
