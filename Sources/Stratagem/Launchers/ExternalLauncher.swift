internal import TorchDistributed

/// A run whose processes somebody else has started and watches over: torchrun, a cluster, or a shell script.
public final class ExternalLauncher: ProcessLauncher {
  private let layout: ProcessLayout
  private let joinTimeout: Double

  /// Makes a launcher.
  ///
  /// - Parameters:
  ///   - layout: the processes that the trainer was asked for, which those that were started have to be.
  ///   - joinTimeout: seconds that finding the others may take.
  public init(_ layout: ProcessLayout, joinTimeout: Double = 300) {
    self.layout = layout
    self.joinTimeout = joinTimeout
  }

  public override var processesAreCreatedExternally: Bool { true }

  public override func launch<Output>(_ call: LaunchedCall<Output>) throws -> Output {
    try call.prepare()
    world = try ProcessWorld.standing(worldSize: layout.worldSize) {
      let place = try layout.place()
      let store = try ProcessWorld.openStore(place, isLocal: false, timeout: joinTimeout)
      return ProcessWorld(
        store: store, host: place.mainAddress, identity: layout.identity(of: place),
        address: layout.numNodes == 1 ? "127.0.0.1" : nil)
    }
    return try call.run()
  }
}
