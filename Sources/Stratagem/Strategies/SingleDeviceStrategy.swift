/// One process on one device.
open class SingleDeviceStrategy: Strategy {
  open override var strategyDescription: StrategyDescription {
    StrategyDescription(
      name: "single_device", summary: "One process on one device.", accelerators: [.cpu, .cuda, .mps], processes: .one,
      maximumDevices: 1, holdings: givenPlugins)
  }
}
